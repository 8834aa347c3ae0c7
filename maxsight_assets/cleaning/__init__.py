"""Rules that make a record unfit, and the ledger of what was done about it."""
