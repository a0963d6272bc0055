"""One run of one version on one input each."""
