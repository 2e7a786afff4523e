"""Debian's programs run on Cairn as they run on Linux; see main.py."""
