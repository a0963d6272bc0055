"""Weights as artifacts of their own, in the format that Cog's draft describes (docs/reference/weights.md)."""
