"""The prior of poses and their motion: its type, its files and its fit."""
