"""What Dagster sees: assets, checks, automation and resources. The work itself is in the other packages."""
