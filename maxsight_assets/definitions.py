"""The code location that Dagster loads; what is in it is decided in `build`."""

import dagster as dg

from maxsight_assets import settings
from maxsight_assets.build import build_defs


@dg.definitions
def defs() -> dg.Definitions:
    """The asset graph of the profile that the environment names."""
    return build_defs(settings.load())
