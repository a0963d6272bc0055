"""Where an image's lowest layers come from: a registry, a local layout or tar, or Debian's own packages."""
