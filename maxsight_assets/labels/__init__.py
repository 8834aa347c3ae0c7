"""The detector's label space, and the mappings of publishers' classes into it, as data."""
