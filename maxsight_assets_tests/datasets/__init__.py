"""Tests of maxsight_assets.sources."""
