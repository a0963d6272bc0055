"""The worker process: starting it, talking to it, and starting it anew when it dies."""
