"""Tests of maxsight_assets.defs."""
