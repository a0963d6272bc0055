"""A model's folder: cog.yaml parsed and diagnosed, and the files cog init writes."""
