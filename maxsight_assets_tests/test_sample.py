"""What the profile `sample` adds to the product, and that no other profile does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maxsight_assets import sample
from maxsight_assets.commands.context import Stream
from maxsight_assets.commands.printing import print_section
from maxsight_assets.datasets.upstreams import Access, open_upstream
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets.sample import Section


def test_only_the_sample_profile_has_an_embedded_upstream_and_seeded_faults(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "splits", tmp_path / "state")
    starter, full = profiles.load("starter"), profiles.load("full")

    assert sample.embedded_of(profiles.load("sample"), places)
    assert (section := sample.section_of(profiles.load("sample"), places))
    assert {fate for *_, fate in section.rows} == {"nothing is published that holds it"}
    assert [sample.embedded_of(each, places) for each in (starter, full)] == [None, None]
    assert [sample.section_of(each, places) for each in (starter, full)] == [None, None]


def test_an_embedded_upstream_is_served_while_it_is_read_and_not_a_moment_longer() -> None:
    told = []

    @contextmanager
    def embedded() -> Iterator[str]:
        told.append("opened")
        yield "http://127.0.0.1:9"
        told.append("closed")

    with open_upstream("coco", Access(embedded=embedded)) as upstream:
        told.append(f"{upstream.origin} at {upstream.catalog.base}")

    assert told == ["opened", "embedded at http://127.0.0.1:9/coco", "closed"]


def test_a_section_is_printed_with_its_columns_one_below_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    section = Section("faults", {"fault": 8, "record": 10, "became": 0}, [("cut", "coco 1", "dropped [sic]")])

    print_section(Stream(), section)

    assert capsys.readouterr().out == "fault   record    became\ncut     coco 1    dropped [sic]\n"
