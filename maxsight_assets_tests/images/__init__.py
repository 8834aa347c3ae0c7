"""Tests of maxsight_assets.images."""
