"""What a landing says of its upstream."""

import dagster as dg

from maxsight_assets_tests.defs.automation.story import Story

UPSTREAM = dg.AssetKey("photos_upstream")


def _reports(story: Story) -> list[str]:
    records = story.instance.fetch_materializations(UPSTREAM, limit=100, ascending=True).records
    return [record.asset_materialization.tags["dagster/data_version"] for record in records]


def test_landing_reports_what_it_lands_from_once(start: Story) -> None:
    assert start.run("photos_raw")
    assert start.run("photos_raw")

    assert _reports(start) == ["A"]


def test_landing_reports_when_the_last_report_is_another(start: Story) -> None:
    for fingerprint in ("A", "B", "A"):
        start.holds["photos"] = fingerprint
        assert start.run("photos_raw")

    assert _reports(start) == ["A", "B", "A"]


def test_tags_of_the_landing_win_over_what_was_reported_when_the_step_started(start: Story) -> None:
    start.look()
    start.holds["photos"] = "B"
    assert start.run("photos_raw")

    tags = start.instance.get_latest_materialization_event(dg.AssetKey("photos_raw")).tags
    assert tags["dagster/input_data_version/photos_upstream"] == "B"


def test_landing_that_fails_has_reported_what_it_saw(story: Story) -> None:
    story.failing.add("photos_raw")
    story.holds["photos"] = "B"
    assert not story.run("photos_raw")

    assert _reports(story) == ["A", "B"]
