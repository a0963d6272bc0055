"""What the platform does, a folder per noun."""
