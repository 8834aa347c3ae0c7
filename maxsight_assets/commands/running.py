"""Run the graph in this process and say what it came to; what `materialize` and `restore` share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from maxsight_assets.commands.context import dagster_home, err, is_debugged, out

if TYPE_CHECKING:
    from maxsight_assets.defs.running.findings import Finding
    from maxsight_assets.settings import Settings

INTERRUPTED = 130
"""Exit status after a signal: 128 and the number of SIGINT, as a shell says it."""


def run(settings: "Settings", assets: Sequence[str], stated: Mapping[str, Any], *, anew: bool = False) -> int:
    """Materialize assets and print what they came to.

    Args:
        settings: What the environment says.
        assets: Names of the assets; empty for all.
        stated: Run config by asset, as in the Launchpad.
        anew: Whether derived assets are made although nothing of theirs has changed.

    Returns:
        The exit status.
    """
    home = dagster_home(settings)
    from maxsight_assets import build, sample
    from maxsight_assets.commands import doctor as doctors
    from maxsight_assets.commands import printing
    from maxsight_assets.places import Places
    from maxsight_assets.profiles import model as profiles

    print_findings(each for each in doctors.drives(settings, home) if each.level != "OK")
    try:
        outcome = build.materialize(
            settings,
            assets,
            stated=stated,
            anew=anew,
            stacks=is_debugged(),
            say=err.print,
        )
    except KeyboardInterrupt:
        raise _interrupted() from None
    if outcome.interrupted:
        raise _interrupted()
    profile, places = profiles.of(settings), Places.of(settings)
    printing.print_verdicts(out, profile, outcome.checks)
    section = sample.section_of(profile, places) if "cleaned_splits" in outcome.materialized else None
    if section:
        out.print()
        printing.print_section(out, section)
    out.print()
    printing.print_published(out, printing.published(profile, places), outcome.checks)
    for failure in outcome.failures:
        err.print(f"failed: {failure}", style="red")
    out.print(f"open the UI with `make ui` (DAGSTER_HOME={home}); run {outcome.run_id}\n")
    status = printing.conclude(out, outcome.checks)
    return status if outcome.success else 1


def _interrupted() -> typer.Exit:
    err.print("interrupted; what was verified is kept, and the same command goes on from there")
    return typer.Exit(INTERRUPTED)


def print_findings(findings: "Iterable[Finding]") -> None:
    """Print what `doctor` found, a line each."""
    from maxsight_assets.commands.doctor import STYLES

    for finding in findings:
        out.print(f"{finding.level:5} {finding.text}", style=STYLES[finding.level])
