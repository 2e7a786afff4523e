"""Tests of tools/lint."""
