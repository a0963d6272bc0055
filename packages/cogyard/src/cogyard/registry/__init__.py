"""The OCI distribution API over a blob store."""
