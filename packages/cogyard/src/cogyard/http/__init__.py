"""What every route shares: errors on the wire, pagination, addresses, server-sent events."""
