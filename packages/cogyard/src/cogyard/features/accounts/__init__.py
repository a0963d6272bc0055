"""Who may do things: accounts, passwords, tokens."""
