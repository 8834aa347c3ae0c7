"""Tests of maxsight_assets.cleaning."""
