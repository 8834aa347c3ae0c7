"""From bytes upstream to a verified, published directory. Knows neither Dagster nor any dataset."""
