"""COCO 2017: train2017 and val2017 with their instance annotations."""
