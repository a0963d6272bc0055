"""Where weights come from: a folder of the project, an address, a repository of a model hub."""
