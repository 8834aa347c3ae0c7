"""Duplicate groups, the leak guard, split strategies, and the split files."""
