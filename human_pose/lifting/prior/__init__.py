"""Fitting the mixture of probabilistic PCA models."""
