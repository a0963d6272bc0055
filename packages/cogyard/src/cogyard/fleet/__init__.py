"""Where instances go: today this machine; later several, through Ray."""
