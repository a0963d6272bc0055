"""Who did what to what, from where."""
