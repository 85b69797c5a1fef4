"""Samples in shards: a few large files of records in place of millions of small ones.

records      what a record holds, written and read
sidecar      what stands beside each shard, and says that it is whole
writing      one shard, at once or not at all
plan         which samples go into which shard
preparation  all shards of a plan, and again after a kill
beam         the same by many processes or machines
tfds_folder  the files by which TFDS reads them
reading      any record by its place
"""
