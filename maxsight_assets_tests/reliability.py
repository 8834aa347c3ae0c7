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
from maxsight_assets_tests.reference import FAULT_ROW

PAGE = REPOSITORY / "docs/reference/fault-results.md"
NAME = re.compile(r"test_fault_(\d\d)_(\w+)")
LOOPS = {
    "test_interrupted_at_every_change": "killed, out of space or input/output error at every change to the disk",
    "test_interrupted_at_every_system_call": "the same at every system call of ten kinds",
    "test_target_survives_anything_in_any_order": "landings, kills, full disks, changes upstream, edits, in any order",
}
"""Tests that count the points or steps that they went through, and what they do."""

HEAD = """# Results of the fault tests

What each test of [the fault matrix](faults.md) showed. Made by `make reliability` from the results of the tests that
are named `test_fault_NN_...`; run one row with `pytest -k fault_07`. [Reliability](../explanation/reliability.md) says
what is promised.
"""


def groups() -> list[tuple[str, list[int]]]:
    """The sections of the fault matrix with their rows."""
    sections = (REPOSITORY / "docs/reference/faults.md").read_text(encoding="utf-8").split("\n## ")[1:]
    return [(text.partition("\n")[0], [int(row) for row, *_ in FAULT_ROW.findall(text)]) for text in sections]


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
    for title, numbers in groups():
        lines += [f"## {title}", "", "| row | what was shown | cases | result |", "|---|---|---|---|"]
        for row in (number for number in numbers if number in found):
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
