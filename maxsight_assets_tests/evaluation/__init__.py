"""Tests of maxsight_assets.evaluation."""
