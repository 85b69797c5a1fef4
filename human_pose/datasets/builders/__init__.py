"""Data sets by name: for TFDS a builder each, for the preparation a source.

sources   what a name, a folder and a configuration mean
builder   what all builders for TFDS share

The folders are as TFDS wants them: `tfds build` takes each. A room of its own, to the
right of data sets and formats, because `recordings` are whatever a format reads.
"""
