"""All that is an account's, for whoever owns it."""
