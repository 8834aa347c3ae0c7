"""The page of pictures in a browser, opened from the disk."""

import json
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from maxsight_assets.pipeline import gallery
from maxsight_assets.places import Places
from maxsight_assets_tests.test_slow_ui import CHROMIUM, FLAGS

CANARY = "<img src=x onerror=alert(1)></script><script>alert(2)</script> [a](javascript:alert(3))"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of a split whose words a publisher chose with care."""
    places = Places(data_dir=tmp_path / "data", splits=tmp_path / "data/splits", state=tmp_path / "data/.maxsight")
    places.splits.mkdir(parents=True)
    names = ["dog", CANARY]
    for name in ("1.jpg", "2.jpg"):
        Image.new("RGB", (40, 30), "green").save(places.data_dir / name)
    document = {
        "licenses": [{"id": 1, "name": "x", "url": CANARY}],
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": 40, "height": 30, "license": 1}
            | {"source": "coco", "source_id": str(number)}
            for number in (1, 2)
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": number, "bbox": [1, 1, 20, 20], "area": 400}
            | {"iscrowd": 0, "source_id": str(number)}
            for number in (1, 2)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }
    (places.splits / "maxsight_val.json").write_text(json.dumps(document), encoding="utf-8")
    assert gallery.write(places, tmp_path / "page", split="val", most=9) == 2
    return tmp_path / "page" / gallery.PAGE


def test_pictures_are_filtered_and_words_of_publishers_are_text(page: Path) -> None:
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page()
        tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page.as_uri())
        expect(tab.get_by_role("status")).to_have_text("2 of 2 pictures")
        widths = tab.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
        tab.get_by_label("class").select_option(CANARY)
        expect(tab.get_by_role("status")).to_have_text("1 of 2 pictures")
        expect(tab.locator("code")).to_have_text("maxsight-assets explain 2.jpg")
        assert CANARY in tab.locator("figcaption").inner_text()
        browser.close()
    assert said == []
    assert widths == [gallery.CELL] * 2
