"""The cog package."""
