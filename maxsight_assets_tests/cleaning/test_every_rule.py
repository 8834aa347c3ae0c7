"""What the documentation of the cleaning rules is made of."""

from maxsight_assets.splitting.build import every_rule


def test_every_rule_has_a_name_of_its_own_and_a_sentence() -> None:
    rules = every_rule()

    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.reason.endswith(".") for rule in rules)
