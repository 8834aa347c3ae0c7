"""A project on the embedded upstream, for tests of the whole graph."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from maxsight_assets import settings
from maxsight_assets.build import build_defs, published_in
from maxsight_assets.defs.runs import RunOutcome, materialize
from maxsight_assets.places import Places


@dataclass
class Project:
    """One project on the embedded upstream, with a Dagster instance of its own.

    Attributes:
        root: Everything that it writes is below.
        instance: Keeps the record of its runs.
        overrides: Resources to replace.
        environment: Variables beside DATA_DIR.
    """

    root: Path
    instance: dg.DagsterInstance
    overrides: dict[str, object] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> settings.Settings:
        return settings.load({"DATA_DIR": str(self.root / "data"), **self.environment})

    @property
    def places(self) -> Places:
        return Places.of(self.settings)

    @property
    def defs(self) -> dg.Definitions:
        return build_defs(self.settings, overrides=self.overrides)

    def run(self, *select: str, **configs: object) -> RunOutcome:
        """Materialize assets; a keyword states run config of the asset of that name."""
        run_config = {"ops": {asset: {"config": config} for asset, config in configs.items()}}
        return materialize(
            self.defs,
            select,
            instance=self.instance,
            published=published_in(self.settings),
            run_config=run_config,
        )


def copy_world(source: Path, dest: Path) -> None:
    """Give a project the drawn world without drawing it again; files are replaced when it is touched, never changed."""
    shutil.copytree(source, dest, copy_function=os.link)
