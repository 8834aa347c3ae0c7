"""Software-defined assets, one module a dataset."""
