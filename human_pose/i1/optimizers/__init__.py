"""Caffe's RMSProp, and AdamW in one pass."""
