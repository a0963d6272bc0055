"""Where bytes live: content-addressed stores behind the ports of `cogyard.domain.blobs`."""
