"""Debian's archive without root: signed index, dependency resolution, and packages unpacked into a layer."""
