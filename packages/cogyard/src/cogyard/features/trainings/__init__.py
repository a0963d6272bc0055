"""Runs of a model's `train()`, each of which makes a version of another model."""
