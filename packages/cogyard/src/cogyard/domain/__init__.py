"""What the platform is about, as values and pure functions: no sockets, clocks, threads or environment here."""
