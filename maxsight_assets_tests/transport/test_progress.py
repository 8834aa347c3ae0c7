"""How the progress of downloads is shown."""

import io

from rich.console import Console

from maxsight_assets.transport.progress import progress_bars, progress_lines


def test_a_line_says_bytes_rate_and_time_left_and_comes_every_few_seconds() -> None:
    said: list[str] = []
    at_once, seldom = progress_lines(said.append, every_s=0), progress_lines(said.append)

    at_once("a.zip", 0, 50_000_000)
    at_once("a.zip", 20_000_000, 50_000_000)
    for _ in range(100):
        seldom("b.zip", 1_000_000, None)

    assert len(said) == 2
    assert said[1].startswith("a.zip: 20 of 50 MB, ")
    assert said[1].endswith(" s left")


def test_bars_are_for_a_terminal_and_a_file_gets_no_control_characters() -> None:
    shown: dict[bool, str] = {}
    for terminal in (True, False):
        stream = io.StringIO()
        with progress_bars(Console(file=stream, force_terminal=terminal, width=100)) as progress:
            progress("a.zip", 1_000_000, 2_000_000)
            progress("a.zip", 2_000_000, 2_000_000)
        shown[terminal] = stream.getvalue()

    assert "a.zip" in shown[True]
    assert shown[False] == ""
