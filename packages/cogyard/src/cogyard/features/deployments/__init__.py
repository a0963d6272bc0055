"""Names in front of versions, with instances of their own."""
