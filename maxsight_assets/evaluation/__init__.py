"""Evaluation sets and their contract."""
