"""Tests of maxsight_assets; the folders mirror the package."""
