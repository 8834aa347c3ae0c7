"""Runs every test of the fault matrix and writes what it showed to docs/reference/fault-results.md: `make reliability`.

A test of the matrix is named `test_fault_NN_what_happens`; the table is made of those names and of what became of them.
"""

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path

from maxsight_assets_tests.places import REPOSITORY

PAGE = REPOSITORY / "docs/reference/fault-results.md"
NAME = re.compile(r"test_fault_(\d\d)_(\w+)")
LOOPS = {
    "test_interrupted_at_every_change": "killed, out of space or input/output error at every change to the disk",
    "test_interrupted_at_every_system_call": "the same at every system call of ten kinds",
    "test_target_survives_anything_in_any_order": "landings, kills, full disks, changes upstream, edits, in any order",
}
"""Tests that count the points or steps that they went through, and what they do."""

GROUPS = (
    (1, 26, "Network"),
    (27, 39, "Disk and file system"),
    (40, 55, "Process and Dagster"),
    (56, 67, "Bad input"),
    (68, 79, "Upstream change and operations"),
)

HEAD = """# Reliability

What happens when something goes wrong, shown by a test each. Made by `make reliability` from the results of the tests
that are named `test_fault_NN_...`; run one row with `pytest -k fault_07`. After every row that lands something the
invariants hold: a published version is complete or absent, the last good one stays readable, bytes match the
manifest, a plain rerun heals without fetching what is verified, no secret is written, nothing lands outside the root,
and no image that a split names goes away.
"""


def results() -> tuple[dict[int, dict[str, Counter[str]]], dict[str, Counter[str]]]:
    """Outcome counts by row and test, cases of one test together; and outcomes, points and steps of the loops."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-k",
            " or ".join(["fault_", *LOOPS]),
            "-n",
            "2",
            "--dist",
            "loadfile",
        ]
        subprocess.run([*command, f"--junitxml={report}", "-o", "junit_family=xunit1"], cwd=REPOSITORY, check=False)
        cases = ET.parse(report).getroot().iter("testcase")
        found: dict[int, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        loops: dict[str, Counter[str]] = {name: Counter() for name in LOOPS}
        for case in cases:
            name = case.get("name", "")
            outcome = next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")
            if named := NAME.match(name):
                found[int(named[1])][named[2].replace("_", " ")][outcome] += 1
            elif (loop := loops.get(name.partition("[")[0])) is not None:
                loop[outcome] += 1
                for counted in case.iter("property"):
                    if counted.get("name") in {"points", "steps"}:
                        loop[str(counted.get("name"))] += int(counted.get("value", "0"))
    return found, loops


def page(found: dict[int, dict[str, Counter[str]]], loops: dict[str, Counter[str]]) -> str:
    """The document."""
    lines = [HEAD]
    for first, last, title in GROUPS:
        lines += [f"## {title}", "", "| row | what was shown | cases | result |", "|---|---|---|---|"]
        for row in sorted(number for number in found if first <= number <= last):
            for what, outcomes in sorted(found[row].items()):
                said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
                lines.append(f"| {row} | {what} | {outcomes.total()} | {said} |")
        lines.append("")
    lines += ["## Any moment, any order", "", "| what was done | went through | cases |", "|---|---|---|"]
    for name, what in LOOPS.items():
        through = ", ".join(f"{loops[name][unit]:,} {unit}" for unit in ("points", "steps") if loops[name][unit])
        said = ", ".join(f"{n} {key}" for key, n in sorted(loops[name].items()) if key not in {"points", "steps"})
        lines.append(f"| {what} | {through} | {said} |")
    lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(*results()), encoding="utf-8")
