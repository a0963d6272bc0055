"""How much is used, by the hour."""
