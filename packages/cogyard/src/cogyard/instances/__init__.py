"""What runs one version: prepare its image, start its server, claim work, report."""
