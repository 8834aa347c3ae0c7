"""Runs in real processes that are killed, interrupted or made to wait."""
