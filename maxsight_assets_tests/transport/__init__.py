"""Tests of maxsight_assets.landing."""
