"""The form of a cleaning rule; the rules themselves are in `rules`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from maxsight_assets.verdict import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to drop or repair a record.

    Attributes:
        name: The name that the ledger, the report and the checks use.
        matches: Boolean expression over the table of candidates; null counts as false. Boxes are in absolute pixels,
            origin at the top left.
        values: Columns that the rule looks at: the ledger's `before`.
        reason: A sentence that explains the rule to the user.
        severity: "error" if upstream or the disk is damaged, "warn" if the record is merely not wanted.
        changes: New values by column. A rule with changes repairs its records; a rule without drops them.
        counts: Which matching records count as damage. By default all of them if the severity is "error", else none. A
            dataset with more damage than `config.Tolerance` allows is not published.
    """

    name: str
    matches: pl.Expr
    values: tuple[str, ...]
    reason: str
    severity: Severity
    changes: Mapping[str, pl.Expr] = field(default_factory=dict)
    counts: pl.Expr | None = None

    @property
    def damage(self) -> pl.Expr:
        """Return the boolean expression that selects the damaged records among those that match."""
        return pl.lit(self.severity == "error") if self.counts is None else self.counts

    @property
    def action(self) -> Literal["drop", "repair"]:
        """Return what is done with a record that matches."""
        return "repair" if self.changes else "drop"
