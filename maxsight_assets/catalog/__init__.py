"""Facts about what each upstream publishes, as YAML data with a source for each figure, and their typed form."""
