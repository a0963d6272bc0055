"""Names that models imported from Cog's own server while it was written in Python; the server itself is elsewhere."""
