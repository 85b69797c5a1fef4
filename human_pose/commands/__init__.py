"""The commands: the only room with flags."""
