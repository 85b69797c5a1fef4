"""The two-stage hourglass, and networks on disk."""
