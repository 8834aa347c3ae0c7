"""The UI as a person meets it: the real web server and daemon, the lineage, an asset's page, materializing from it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.project import copy_world
from maxsight_assets_tests.servers.processes import free_ports

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_S = 300
RUNS_S = 900
GROUPS = 5
ASSETS = ("coco_upstream", "coco_raw", "openimages_subset", "inference_eval_set", "cleaned_splits")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.filterwarnings("default"),
]


@contextmanager
def dagster_dev(home: Path, data: Path) -> Iterator[str]:
    """`dagster dev` in a process group of its own, ended with everything it started."""
    (port,) = free_ports(1)
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    environment = {**os.environ, "DAGSTER_HOME": str(home), "DATA_DIR": str(data), "MAXSIGHT_PROFILE": "sample"}
    command = [
        Path(sys.executable).with_name("dagster"),
        "dev",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-w",
        "workspace.yaml",
    ]
    with (home / "dev.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(url), START_S, home / "dev.log")
        yield url
    finally:
        end(server)


def end(server: "subprocess.Popen[bytes]") -> None:
    """End a process group that this test started, by asking first."""
    os.killpg(server.pid, signal.SIGINT)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def wait_for(condition: Callable[[], object], seconds: float, log: Path) -> None:
    """Poll until something holds; while a server or a file cannot be read, it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError):
            if condition():
                return
        time.sleep(0.5)
    pytest.fail(f"not within {seconds} s:\n{log.read_text(errors='replace')[-3000:]}")


def graphql(url: str, query: str) -> dict[str, object]:
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=START_S) as reply:
        return dict(json.loads(reply.read())["data"])


def run_states(url: str) -> list[str]:
    data = graphql(url, "{ runsOrError { ... on Runs { results { status } } } }")
    return [each["status"] for each in data["runsOrError"]["results"]]  # type: ignore[index]


def splits_version(data: Path) -> str:
    manifest = json.loads((data / "cleaned_splits/.maxsight/MANIFEST.json").read_bytes())
    return str(manifest["data_version"])


@contextmanager
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 2000, "height": 1100})
        page.set_default_timeout(START_S * 1000)
        expect.set_options(timeout=START_S * 1000)
        try:
            yield page
        finally:
            browser.close()


def show_lineage(page: Page, url: str) -> None:
    """Open the global lineage with every group unfolded; the page remembers that and fits it when it loads again."""
    groups = page.get_by_role("img", name=re.compile("unfold_(more|less)"))
    folded = page.get_by_role("img", name="unfold_more")
    page.goto(f"{url}/asset-groups")
    expect(groups).to_have_count(GROUPS)
    while folded.count():
        folded.first.click()
        page.reload()
        expect(groups).to_have_count(GROUPS)
    for asset in ASSETS:
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()


def test_a_person_materializes_from_the_page_and_a_change_upstream_follows_by_itself(
    tmp_path: Path, drawn_world: Path
) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    (data / ".maxsight").mkdir(parents=True)
    copy_world(drawn_world, data / ".maxsight/sample_upstream")
    shots = Path(os.environ.get("SCREENSHOTS", tmp_path / "shots"))
    shots.mkdir(parents=True, exist_ok=True)
    with dagster_dev(home, data) as url, browser_page() as page:
        show_lineage(page, url)
        page.get_by_role("button", name="Materialize all").first.click()
        wait_for(lambda: {"SUCCESS", "FAILURE"} & set(run_states(url)) != set(), RUNS_S, home / "dev.log")
        assert run_states(url) == ["SUCCESS"]
        show_lineage(page, url)
        page.screenshot(path=shots / "lineage.png")

        page.goto(f"{url}/assets/cleaned_splits?view=overview")
        expect(page.get_by_text("boxes per class").first).to_be_visible()
        page.screenshot(path=shots / "cleaned_splits.png", full_page=True)

        page.goto(f"{url}/assets/coco_raw?view=checks")
        expect(page.get_by_text("enough_images_decode").first).to_be_visible()
        page.screenshot(path=shots / "coco_raw_checks.png")

        page.goto(f"{url}/assets/coco_raw?view=automation")
        page.wait_for_timeout(2_000)
        page.screenshot(path=shots / "coco_raw_automation.png")

        before = splits_version(data)
        touched = subprocess.run(
            [Path(sys.executable).with_name("maxsight-assets"), "touch", "coco"],
            env={**os.environ, "DATA_DIR": str(data)},
            check=False,
        )
        assert touched.returncode == 0
        wait_for(lambda: splits_version(data) != before, RUNS_S, home / "dev.log")
        wait_for(lambda: run_states(url)[3:] and set(run_states(url)) == {"SUCCESS"}, START_S, home / "dev.log")
        assert len(run_states(url)) == 4, (
            "one run by hand, then coco_raw, inference_eval_set and cleaned_splits, once each"
        )

        page.goto(f"{url}/automation")
        expect(page.get_by_text("scheduled_refresh").first).to_be_visible()
        page.screenshot(path=shots / "automation.png")
    assert (data / "cleaned_splits/maxsight_train.json").is_file()
