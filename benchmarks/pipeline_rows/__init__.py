"""The sides of `benchmarks/pipeline.py`, each run in processes of its own.

data            the pictures, made once: shards, and the same bytes for PyTorch
ours_side       our stream from shards, decoding alone, memory, growth and start
usage           how fast a stream is, and what it costs
torch_side      PyTorch's DataLoader on the same bytes
"""
