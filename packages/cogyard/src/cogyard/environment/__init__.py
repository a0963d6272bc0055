"""Python, packages and CUDA: resolve, lock, and make a local environment with uv."""
