"""What the documentation promises by itself: its links lead somewhere, its reference pages say what the code says."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from maxsight_assets.commands.app import app
from maxsight_assets.publishing import manifest
from maxsight_assets_tests import reference
from maxsight_assets_tests.places import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    """The relative links of a page that lead nowhere."""
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_what_a_page_says_of_the_code_is_what_the_code_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert reference.generated(text) == text, "run `make docs-reference`"


def test_every_generated_part_is_on_a_page() -> None:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    on_pages = [block[1] for text in texts for block in reference.BLOCK.findall(text)]

    assert sorted(on_pages) == sorted([*reference.GENERATED, "faults"])


def test_every_field_of_a_generated_table_has_a_meaning() -> None:
    tables = [make() for make in reference.GENERATED.values()]

    assert [row for table in tables for row in table.splitlines() if row.endswith("|  |")] == []


def test_the_page_on_the_manifest_lists_its_columns() -> None:
    page = (REPOSITORY / "docs/reference/on-disk-format.md").read_text(encoding="utf-8")
    listed = page.partition("## manifest.parquet")[2].partition("\n## ")[0]
    columns = [
        name for row in re.findall(r"^\| (`[^|]*) \|", listed, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]

    assert columns == manifest._SCHEMA.names


def test_the_fault_matrix_has_every_row_once() -> None:
    page = (REPOSITORY / "docs/reference/faults.md").read_text(encoding="utf-8")
    rows = [int(number) for number, *_ in reference.FAULT_ROW.findall(page)]

    assert sorted(rows) == list(range(1, 96))


def commands_of(page: Path) -> set[str]:
    """The commands in the code blocks and code spans of a page: `make TARGET` and `maxsight-assets VERB`."""
    text = page.read_text(encoding="utf-8")
    code = "\n".join([*FENCE.findall(text), *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))])
    return set(re.findall(r"(?:^|[ &(])(make [a-z][a-z-]*|maxsight-assets [a-z][a-z-]*)", code, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_command_of_a_page_is_one(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    verbs = typer.main.get_command(app).commands
    known = {f"make {target}" for target in targets} | {f"maxsight-assets {verb}" for verb in verbs}

    assert commands_of(page) - known == set()


def test_every_dependency_has_a_reason() -> None:
    page = (REPOSITORY / "docs/explanation/dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.match(r"[\w-]+", each) for each in project["dependencies"]]

    assert [name[0] for name in names if name and f"`{name[0]}`" not in page] == []


def test_the_table_of_layers_is_the_contract_of_the_imports() -> None:
    page = (REPOSITORY / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    table = page.partition("| from top to bottom |")[2].partition("\n\n")[0]
    shown = [set(re.findall(r"`(\w+)(?:\.py|/)`", row.split("|")[1])) for row in table.splitlines()[2:]]
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [set(layer.split(" | ")) for layer in contracts["contracts"][0]["layers"]]

    rows = iter(shown)
    row: set[str] = set()
    for layer in layers:  # a row may show several layers, the next row only what is below them
        row = row or next(rows)
        assert layer <= row, f"{layer} is not in the next row of the table, {row}"
        row = row - layer
    assert [*rows, row] == [set()]
