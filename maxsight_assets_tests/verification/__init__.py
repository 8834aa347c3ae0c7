"""Tests of maxsight_assets.verification."""
