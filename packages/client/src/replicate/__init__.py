"""The replicate package."""
