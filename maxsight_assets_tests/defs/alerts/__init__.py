"""Alerts, against a receiver on loopback."""
