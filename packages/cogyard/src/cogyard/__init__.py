"""The cogyard package."""
