"""Debian's stress-ng and fork bombs, on Cairn."""
