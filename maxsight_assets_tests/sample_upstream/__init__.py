"""Tests of maxsight_assets.sample_upstream."""
