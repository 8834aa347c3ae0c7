"""Tests of maxsight_assets.splitting."""
