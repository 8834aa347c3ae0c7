"""Tests of maxsight_assets.datasets."""
