"""Names that models imported from Cog's own server while it was written in Python, and its name for `python -m`."""
