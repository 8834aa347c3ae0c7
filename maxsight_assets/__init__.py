"""MaxSight Assets: vision datasets for an object detector, landed, verified, cleaned, split and kept fresh."""
