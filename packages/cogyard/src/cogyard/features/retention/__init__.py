"""How long predictions hold their data."""
