"""Samples in shards: a few large files of records in place of millions of small ones.

records   what a record holds, written and read
sidecar   what stands beside each shard, and says that it is whole
writing   one shard, at once or not at all
"""
