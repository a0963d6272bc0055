"""Predictions that show what a model does."""
