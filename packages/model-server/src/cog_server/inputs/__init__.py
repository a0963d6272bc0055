"""Input files: from a data URL, an address or a path to a file in the prediction's folder."""
