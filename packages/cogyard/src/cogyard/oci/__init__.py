"""The OCI formats as values, and the flows that move them: references, manifests, layouts, registries."""
