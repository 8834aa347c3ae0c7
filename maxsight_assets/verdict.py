"""Rules and the verdicts that they return.

A rule examines one published or staged directory and returns a verdict. The same rules keep bad data from being
published and, as asset checks, examine what is published. Nothing here knows Dagster.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar

View_contra = TypeVar("View_contra", contravariant=True)
Severity = Literal["error", "warn"]
Scalar = str | int | float | bool

MAX_EXAMPLES = 10
"""Offenders that a verdict lists; it only counts the rest, so that it stays readable."""

_SHOWN = 5
"""Offenders that the text of an error lists."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one rule.

    Attributes:
        rule: Name of the rule.
        passed: False if at least one record offends.
        checked: Number of records that the rule examined.
        offenders: Number of records that offend.
        examples: The first offenders in the order of their names, at most `MAX_EXAMPLES`; plain text.
        remedy: What the user can do about it; empty if the rule passed.
        facts: Further numbers worth showing, by name.
        judged: False if the rule could not look, because of what another rule names; it did not pass then.
    """

    rule: str
    passed: bool
    checked: int
    offenders: int = 0
    examples: tuple[str, ...] = ()
    remedy: str = ""
    facts: Mapping[str, Scalar] = field(default_factory=dict)
    judged: bool = True

    def __post_init__(self) -> None:
        if self.offenders > self.checked:  # a mistake in the rule, which would report "4 of 2"
            raise ValueError(f"{self.rule}: {self.offenders} offenders of {self.checked} records that were looked at")


@dataclass(frozen=True, slots=True)
class Rule(Generic[View_contra]):
    """One thing that must hold for a directory.

    Attributes:
        name: Snake-case name; it is the asset check's name too.
        description: One sentence for the user: what must hold, and why it matters.
        severity: "error" if data that fails is unusable, "warn" if the user should look at it.
        blocking: Whether a failure keeps the staged tree from being published and stops the assets downstream.
        judge: Examines a view of the directory and returns the verdict.
        remedy: What the user can do if it does not hold.
        reads_images: Whether it needs the bytes of every image, read in this run or known from an earlier one.
    """

    name: str
    description: str
    severity: Severity
    blocking: bool
    judge: Callable[[View_contra], Verdict]
    remedy: str = ""
    reads_images: bool = False


def verdict_of(
    rule: str,
    offenders: Iterable[str],
    *,
    checked: int,
    remedy: str,
    facts: Mapping[str, Scalar] | None = None,
) -> Verdict:
    """Make a verdict from the names of the records that offend.

    Args:
        rule: Name of the rule.
        offenders: Names of offending records, in any order; all are counted, the first ten in sorted order are listed.
        checked: Number of records that were examined.
        remedy: What to do if there are offenders.
        facts: Further numbers to show.
    """
    names = sorted(offenders)
    return Verdict(
        rule=rule,
        passed=not names,
        checked=checked,
        offenders=len(names),
        examples=tuple(names[:MAX_EXAMPLES]),
        remedy=remedy if names else "",
        facts=dict(facts or {}),
    )


def in_words(verdicts: Iterable[Verdict]) -> str:
    """Return the failed verdicts as text for an error: how many records offend, the first of them, the remedy.

    Rules that could not look are only counted.
    """
    failed = list(verdicts)
    unjudged = sum(not verdict.judged for verdict in failed)
    said = [
        f"{verdict.rule}: {verdict.offenders:,} of {verdict.checked:,} ({', '.join(verdict.examples[:_SHOWN])}). "
        f"{verdict.remedy}"
        for verdict in failed
        if verdict.judged
    ]
    return "; ".join([*said, *unlooked(unjudged)])


def unlooked(count: int) -> list[str]:
    """Return the line about rules that could not look; none if there are none."""
    return [f"{count:,} more rules could not look"] if count else []


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a rule's function.

    Attributes:
        offenders: Names of offending records, in any order.
        checked: Number of records that were examined.
        facts: Further numbers to show.
        remedy: What to do in this case, if it differs from the rule's general remedy.
        judged: As `Verdict.judged`.
    """

    offenders: Iterable[str]
    checked: int
    facts: Mapping[str, Scalar] = field(default_factory=dict)
    remedy: str | None = None
    judged: bool = True


NOT_JUDGED = Found(["not looked at: the annotations do not parse"], 1, remedy="", judged=False)
"""What a rule about annotations finds where they cannot be read, rather than pass on empty tables."""


def rule(
    remedy: str, *, severity: Severity, blocking: bool = False, reads_images: bool = False
) -> Callable[[Callable[[View_contra], Found]], Rule[View_contra]]:
    """Turn a function that finds offenders into a rule; its name and its docstring become the rule's.

    Args:
        remedy: What the user can do if there are offenders.
        severity: As `Rule.severity`.
        blocking: As `Rule.blocking`.
        reads_images: As `Rule.reads_images`.
    """

    def made(find: Callable[[View_contra], Found]) -> Rule[View_contra]:
        name = find.__name__

        def judge(view: View_contra) -> Verdict:
            found = find(view)
            said = remedy if found.remedy is None else found.remedy
            verdict = verdict_of(name, found.offenders, checked=found.checked, remedy=said, facts=found.facts)
            return verdict if found.judged else replace(verdict, judged=False)

        description = " ".join((find.__doc__ or "").split())
        return Rule(name, description, severity, blocking, judge, remedy=remedy, reads_images=reads_images)

    return made


def run(rules: Sequence[Rule[View_contra]], view: View_contra) -> tuple[Verdict, ...]:
    """Run all rules on one view, in their order."""
    return tuple(rule.judge(view) for rule in rules)
