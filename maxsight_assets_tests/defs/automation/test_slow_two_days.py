"""Two days of ticks over upstreams that change, go away and come back, and runs that fail, die and are cancelled."""

import itertools
import logging
import random
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import instance_for_test

from maxsight_assets.defs.automation.looking import LONGEST_WAIT_S
from maxsight_assets.errors import TransientError
from maxsight_assets_tests.defs.automation.story import ALL, RAW, Story

HOURS = 48
TICK_S = 1200  # the real sensor ticks forty times as often, and finds nothing new in between
HOME_MB = 50

MEND_S = LONGEST_WAIT_S * 1.5
"""Time after which everything is in order again: a sensor may wait for a quarter more than its longest wait."""

SEED = 1


class Days:
    """A story in which something happens every hour or so, drawn from a seed.

    Attributes:
        changes: How often an upstream came to hold something else.
        failures: How many runs were made to end without landing.
    """

    def __init__(self, story: Story, seed: int) -> None:
        self.story = story
        self.draw = random.Random(seed)
        self.changes = self.failures = self.asked = 0
        self.held = dict.fromkeys(RAW, "A")
        story.tick_s = TICK_S

    def live(self) -> None:
        """Let two days pass, and then as long as it takes until nothing more is asked for."""
        random.seed(SEED)  # the jitter of waits
        for number in range(HOURS * 3600 // TICK_S):
            if number % (3600 // TICK_S) == 0:
                self.draw.choice((self._change, self._change, self._go_away, self._fail, self._lose_cursors))()
            self._tick()
        self._mend()
        for _ in range(int(MEND_S // TICK_S)):
            self._tick()

    def _tick(self) -> None:
        self.story.look()
        asked = self.story.tick(run=False)
        self.asked += len(asked)
        if not asked:
            return
        fate = self.draw.random()
        if fate < 0.1:
            self._die(asked)
        elif fate < 0.2:
            self.failures += 1  # the daemon ended before it started the run
        else:
            failing = len(self.story.failing.intersection(asked))
            self.failures += failing
            self.story.run(*asked)

    def _die(self, asked: list[str]) -> None:
        run = self.story.dangling_run(*asked)
        self.story.wait(60)
        self.story.declare_dead(run)
        self.failures += len(asked)

    def _change(self) -> None:
        name = self.draw.choice(RAW)
        self.held[name] = self.draw.choice([letter for letter in "ABCDEFGH" if letter != self.held[name]])
        if not isinstance(self.story.holds[name], Exception):
            self.story.holds[name] = self.held[name]
        self.changes += 1

    def _go_away(self) -> None:
        name = self.draw.choice(RAW)
        away = not isinstance(self.story.holds[name], Exception)
        self.story.holds[name] = TransientError(f"{name}.zip: 503") if away else self.held[name]

    def _fail(self) -> None:
        self.story.failing ^= {self.draw.choice(ALL)}

    def _lose_cursors(self) -> None:
        self.story.cursor = None
        self.story.sensor_cursors = dict.fromkeys(RAW, "not json")

    def _mend(self) -> None:
        """Let upstreams answer, runs land, and a change begin the counts anew where a refresh was given up."""
        self.story.failing.clear()
        for name in RAW:
            self.story.holds[name] = self.held[name] = f"last of {name}"
            self.changes += 1


def _size(home: Path) -> int:
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())


@pytest.mark.timeout(3600)
def test_two_days_of_an_unsteady_upstream_lose_no_change_repeat_no_landing_and_stay_small(tmp_path: Path) -> None:
    began = time.process_time()
    with instance_for_test(temp_dir=str(tmp_path)) as instance:
        story = Story(instance)
        assert story.run(*ALL)
        story.made.clear()
        before = _size(tmp_path)
        days = Days(story, SEED)
        days.live()
        grown_mb = (_size(tmp_path) - before) / 1e6
        runs = instance.get_runs_count(dg.RunsFilter()) - 1

    figures = f"{days.changes} changes, {days.failures} failures, {runs} runs, {grown_mb:.1f} MB"
    logging.getLogger(__name__).info("%s, %.0f s of CPU time", figures, time.process_time() - began)
    last = "".join(days.held[name] for name in RAW)
    assert story.disk["splits"] == f"{last}/{last}", "a change was lost"
    for name in ALL:
        contents = [content for made, content in story.made if made == name]
        assert all(one != other for one, other in itertools.pairwise(contents)), f"{name} landed the same twice"
    assert len(story.made) <= 3 * days.changes
    assert days.asked <= 3 * days.changes + days.failures
    assert grown_mb < HOME_MB
