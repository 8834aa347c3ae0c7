"""ADE20K: the validation scenes and their masks, for evaluation only."""
