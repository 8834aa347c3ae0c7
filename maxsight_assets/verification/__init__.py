"""Rules that a published directory must keep; they gate publishing and back the asset checks."""
