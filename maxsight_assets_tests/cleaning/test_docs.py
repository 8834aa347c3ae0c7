"""The table of rules in docs/explanation/splits.md is made from the rules; run this module to write it anew."""

from maxsight_assets.splitting.build import every_rule
from maxsight_assets_tests.places import REPOSITORY

DOCUMENT = REPOSITORY / "docs/explanation/splits.md"
START, END = "<!-- rules:", "<!-- end of rules -->"


def table() -> str:
    rows = [f"| `{rule.name}` | {rule.action} | {rule.severity} | {rule.reason} |" for rule in every_rule()]
    return "\n".join(["| rule | does | severity | because |", "|---|---|---|---|", *rows]) + "\n"


def with_table(text: str) -> str:
    head, _, rest = text.partition(START)
    comment, _, _ = rest.partition("\n")
    return f"{head}{START}{comment}\n{table()}{END}{rest.partition(END)[2]}"


def test_the_documented_rules_are_the_rules() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert with_table(text) == text, "run `python -m maxsight_assets_tests.cleaning.test_docs`"


def test_every_rule_has_a_name_of_its_own_and_a_sentence() -> None:
    rules = every_rule()

    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.reason.endswith(".") for rule in rules)


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
