"""BDD100K: the validation frames and their detection labels, for evaluation only."""
