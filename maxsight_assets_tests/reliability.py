"""Runs every test of the fault matrix and writes what it showed to docs/reliability.md: `make reliability`.

A test of the matrix is named `test_fault_NN_what_happens`; the table is made of those names and of what became of them.
"""

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs/reliability.md"
NAME = re.compile(r"test_fault_(\d\d)_(\w+)")

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


def results() -> dict[int, dict[str, Counter[str]]]:
    """Outcome counts by row and test; parametrised cases of one test are counted together."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-k", "fault_", "-n", "2", "--dist", "loadfile"]
        subprocess.run([*command, f"--junitxml={report}"], cwd=REPOSITORY, check=False)
        cases = ET.parse(report).getroot().iter("testcase")
        found: dict[int, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for case in cases:
            named = NAME.match(case.get("name", ""))
            if named:
                outcome = next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")
                found[int(named[1])][named[2].replace("_", " ")][outcome] += 1
    return found


def page(found: dict[int, dict[str, Counter[str]]]) -> str:
    """The document."""
    lines = [HEAD]
    for first, last, title in GROUPS:
        lines += [f"## {title}", "", "| row | what was shown | cases | result |", "|---|---|---|---|"]
        for row in sorted(number for number in found if first <= number <= last):
            for what, outcomes in sorted(found[row].items()):
                said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
                lines.append(f"| {row} | {what} | {outcomes.total()} | {said} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(results()), encoding="utf-8")
