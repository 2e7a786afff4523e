"""What the programs under tools/ and tests/boot share. Standard library only, Python 3.11."""
