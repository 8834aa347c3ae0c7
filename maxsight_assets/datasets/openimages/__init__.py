"""Open Images V6: boxes of chosen classes, and the images that carry them."""
