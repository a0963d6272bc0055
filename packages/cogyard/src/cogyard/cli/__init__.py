"""The commands `cog` and `cogyard`: one file a command, imported when it is called."""
