"""The checks of tools/lint. Each module holds a few; CHECKS in main.py lists them all."""
