"""How much of each upstream to take, as YAML data, and its typed form."""
