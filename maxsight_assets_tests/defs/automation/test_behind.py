"""What `doctor` says of each asset: whether it is made from what its inputs have now, and why not."""

from maxsight_assets.defs.running.findings import behind
from maxsight_assets_tests.defs.automation.story import ALL, Story


def _said(story: Story) -> dict[str, tuple[str, str]]:
    """The level and the reason for each asset."""
    found = behind(story.instance, story.defs.resolve_asset_graph())
    return {name: (each.level, why) for each in found for name, _, why in [each.text.partition(": ")]}


def test_what_was_never_landed_is_not_behind(start: Story) -> None:
    assert _said(start) == {}


def test_what_is_made_from_its_inputs_is_said_so(story: Story) -> None:
    assert _said(story) == dict.fromkeys(ALL, ("OK", "is made from what its inputs have now"))


def test_a_change_upstream_is_named_with_both_versions_and_what_to_do_and_is_gone_once_landed(story: Story) -> None:
    story.holds["photos"] = "B"
    story.look()

    level, why = _said(story)["photos_raw"]
    assert level == "WARN"
    assert why.startswith("is behind: photos_upstream has B since 2026-01-05 ")
    assert why.endswith(
        "it was made from A; the sensor `refresh` asks for it, or: `maxsight-assets materialize photos_raw`"
    )
    assert _said(story)["splits"][0] == "OK"

    story.settle()
    assert {level for level, _ in _said(story).values()} == {"OK"}


def test_checks_that_did_not_run_new_code_and_a_failed_schedule_are_reasons(story: Story) -> None:
    story.failing.add("boxes_raw")
    story.dying.add("photos_raw")
    story.wait(24 * 3600)
    story.run(*ALL, schedule="scheduled_refresh")
    story.load(code_version="2")

    said = {name: why for name, (_, why) in _said(story).items()}
    assert said["photos_raw"].startswith("is behind: not all of its blocking checks have run on it;")
    assert said["boxes_raw"].startswith("is behind: the scheduled refresh did not land it (run ")
    assert "other code made it" in said["evaluation"]
