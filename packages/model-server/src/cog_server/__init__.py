"""The cog_server package."""
