"""Writes the parts of the documentation that follow from the code: `make docs-reference`.

A page marks such a part with `<!-- generated: NAME -->` and `<!-- end -->`; the function of that name below makes it.
`test_docs.py` fails if a page differs from what the code says.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import polars as pl
import typer
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.cli import get_docs_for_click

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.checkpoints.rules import CHECKPOINT_RULES
from maxsight_assets.checkpoints.sync import ASSET as CHECKPOINTS
from maxsight_assets.commands.app import app
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.evaluation.apart import IN_ANOTHER_SET
from maxsight_assets.evaluation.sample import OVER_THE_SAMPLE
from maxsight_assets.formats import tables
from maxsight_assets.images import groups
from maxsight_assets.pipeline.derived import EVALUATION_ASSET, SPLITS_ASSET
from maxsight_assets.pipeline.inspection import EVALUATION, METRICS, RAW, SPLITS
from maxsight_assets.profiles.model import EvaluationSelection, SplitsSelection
from maxsight_assets.settings import Settings
from maxsight_assets.splitting.build import every_rule
from maxsight_assets_tests.places import REPOSITORY

BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
FAULT_ROW = re.compile(r"^\| (\d+) \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)
TEST = re.compile(r"def (test_\w+)")
FAULT_TEST = re.compile(r"test_fault_(\d+)_(?:and_(\d+)_)?")
NO_TEST = "**no test yet**"
NAMES = {str: "text", bool: "true or false", int: "whole number", float: "number", Path: "path", SecretStr: "secret"}


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    columns = list(columns)
    cells = ([" ".join(str(cell).replace("|", "\\|").split()) for cell in row] for row in rows)
    lines = [columns, ["---"] * len(columns), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def type_of(annotation: Any) -> str:
    """A type as a reader writes its values; pydantic's constraints and None are left out."""
    if type(annotation).__name__ == "_LiteralGenericAlias":
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    kinds = [kind for kind in get_args(annotation) if isinstance(kind, type) or get_args(kind)]
    origin = getattr(annotation, "__origin__", None)
    if origin is Mapping:
        return f"mapping of {type_of(kinds[0])} to {type_of(kinds[1])}"
    if origin in {tuple, frozenset}:
        return f"list of {type_of(kinds[0])}"
    if kinds:
        return " or ".join(dict.fromkeys(type_of(kind) for kind in kinds if kind is not type(None)))
    names = {
        str: "text",
        bool: "true or false",
        int: "whole number",
        float: "number",
        Path: "path",
        SecretStr: "secret",
    }
    return names.get(annotation, annotation.__name__)


def default_of(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "the profile's"
    if field.default in (None, Path(), frozenset()):
        return ""
    return f"`{field.default if isinstance(field.default, str | Path) else json.dumps(field.default)}`"


def environment() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        if name == "mirrors":
            continue
        alias = field.validation_alias
        names = alias.choices if isinstance(alias, AliasChoices) else [alias]
        rows.append([", or ".join(f"`{each}`" for each in names), type_of(field.annotation), default_of(field)])
        rows[-1].append(field.description or "")
    return table(("variable", "type", "default", "meaning"), rows)


def mirrors() -> str:
    rows = []
    for catalog in catalogs.every():
        rows.append([f"`{catalog.mirror}`", catalog.title, f"`{catalog.base}`"])
        rows += [
            [f"`{name}`", f"{catalog.title}, single images", f"`{catalog.images}`"]
            for name in catalog.mirror_variables[1:]
        ]
    return table(("variable", "of", "stands for"), rows)


def commands() -> str:
    command = typer.main.get_command(app)
    context = command.make_context("maxsight-assets", [], resilient_parsing=True)
    text = get_docs_for_click(obj=command, ctx=context, name="maxsight-assets", indent=1)
    text = re.sub(r"^\* `--(help|install-completion|show-completion)`.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\*\*Options\*\*:\n\n+(?!\*)", "", text)
    return text[text.index("### ") :].strip() + "\n"  # what is before lists the commands once more


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """The fields of a configuration model, those of the models in it with a dotted name."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields_of(kind, f"{prefix}{name}.")
        else:
            yield f"`{prefix}{name}`", type_of(kind), default_of(field), field.description or ""


def run_config() -> str:
    made = {EVALUATION_ASSET: EvaluationSelection, SPLITS_ASSET: SplitsSelection}
    models = {source.asset: source.selection for source in SOURCES.values()} | made
    columns = ("field", "type", "default", "meaning")
    return "\n".join(f"## `{asset}`\n\n{table(columns, fields_of(model))}" for asset, model in models.items())


def checks() -> str:
    assets = defaultdict(list)
    inspected = [(each.asset, each.rules) for each in (*RAW.values(), EVALUATION, SPLITS, METRICS)]
    for asset, rules in [*inspected, (CHECKPOINTS, CHECKPOINT_RULES)]:
        for rule in rules:
            assets[rule.name, rule.severity, rule.blocking, rule.description, rule.remedy].append(asset)
    rows = (
        (f"`{name}`", ", ".join(f"`{asset}`" for asset in of), severity, "yes" if blocking else "", what, remedy)
        for (name, severity, blocking, what, remedy), of in assets.items()
    )
    return table(("check", "assets", "severity", "blocks", "what must hold", "what to do if it does not"), rows)


def cleaning_rules() -> str:
    of_sets = (IN_ANOTHER_SET, OVER_THE_SAMPLE)
    rows = ((f"`{rule.name}`", rule.action, rule.severity, rule.reason) for rule in (*every_rule(), *of_sets))
    return table(("rule", "does", "severity", "because"), rows)


def columns_of(schema: pl.Schema, about: Mapping[str, str]) -> str:
    return table(("column", "type", "meaning"), ((f"`{name}`", dtype, about[name]) for name, dtype in schema.items()))


def split_fields() -> str:
    schema = json.loads(files("maxsight_assets.splitting").joinpath("schema.json").read_text(encoding="utf-8"))
    rows = []

    def walk(node: dict[str, Any], path: str, needed: bool) -> None:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]] | node if "$ref" in node else node
        if "description" in node:
            rows.append((f"`{path}`", node.get("type", ""), "" if needed else "no", node["description"]))
        of, path = (node["items"], f"{path}[]") if isinstance(node.get("items"), dict) else (node, path)
        for name, each in of.get("properties", {}).items():
            walk(each, f"{path}.{name}".lstrip("."), name in of.get("required", ()))

    walk(schema, "", needed=True)
    return table(("field", "type", "always", "meaning"), rows)


def with_fault_tests(rows: str) -> str:
    """The rows of the fault matrix, the last column made anew: the tests of the row, and others that it names."""
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "maxsight_assets_tests").rglob("test_*.py")]
    tests = {name for text in texts for name in TEST.findall(text)}
    shown = {int(row) for name in tests if (named := FAULT_TEST.match(name)) for row in named.groups() if row}

    def row(match: re.Match[str]) -> str:
        number, fault, expected, cell = match.groups()
        named = [f"`fault_{int(number):02}`"] if int(number) in shown else []
        named += [f"`{name}`" for name in re.findall(r"`(test_\w+)`", cell) if name in tests]
        return f"| {number} | {fault} | {expected} | {', '.join(named) or NO_TEST} |"

    return FAULT_ROW.sub(row, rows)


GENERATED: Mapping[str, Callable[[], str]] = {
    "environment": environment,
    "mirrors": mirrors,
    "commands": commands,
    "run-config": run_config,
    "checks": checks,
    "cleaning-rules": cleaning_rules,
    "ledger": lambda: columns_of(tables.LEDGER, tables.ABOUT_LEDGER),
    "groups": lambda: columns_of(groups.EDGES, groups.ABOUT_EDGES),
    "split-fields": split_fields,
}


def generated(text: str) -> str:
    """A page with its generated parts made anew."""

    def block(match: re.Match[str]) -> str:
        start, name, present, end = match.groups()
        made = with_fault_tests(present) if name == "faults" else f"\n{GENERATED[name]()}\n"
        return start + made + end

    return BLOCK.sub(block, text)


def main() -> None:
    for page in (REPOSITORY / "docs").rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        if (made := generated(text)) != text:
            page.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
