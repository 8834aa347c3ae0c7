"""Tests of maxsight_assets.transport."""
