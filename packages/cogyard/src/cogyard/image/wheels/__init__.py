"""Wheels: which ones a target needs, where they come from, and how they lie in a layer without recompression."""
