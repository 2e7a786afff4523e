"""The boot matrix: on which machines the kernel is tried, and what its log must say on each."""
