"""What is in an image file: does it decode, how large is it, what does it look like."""
