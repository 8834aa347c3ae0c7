"""Tests of maxsight_assets.formats."""
