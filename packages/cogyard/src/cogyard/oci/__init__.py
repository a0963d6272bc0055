"""The OCI formats as values, and the flows that move them: digests, references, manifests, layouts, registries."""
