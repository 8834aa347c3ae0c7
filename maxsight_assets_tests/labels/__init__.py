"""Tests of maxsight_assets.labels."""
