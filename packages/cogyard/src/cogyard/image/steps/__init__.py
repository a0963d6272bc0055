"""What only a container engine can do: commands of `run`, and system packages that set themselves up by scripts."""
