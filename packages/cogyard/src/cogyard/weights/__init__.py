"""Weights as artifacts of their own, in the format that Cog's draft describes (docs/reference/weights.md)."""

#: Where an image says which weights it expects.
EXPECTED = ".cog/weights.json"
