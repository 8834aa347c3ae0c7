"""Seconds, CPU seconds (what counts on a busy machine) and peak memory of a piece of work, in a process of its own."""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Work = Callable[[Path], object]


def compare(script: str, works: Mapping[str, object], path: Path, *, rounds: int = 1) -> None:
    """Run each way of doing the same work in a new process and print a table; the first way is what ratios refer to.

    With several rounds the ways take turns and the quickest run of each counts, since other work disturbs all.
    """
    results: dict[str, dict[str, float]] = {}
    for name in [*works] * rounds:
        os.sync()  # what the way before wrote is not to be written while this one runs
        out = subprocess.run(
            [sys.executable, script, "--way", name, "--file", str(path)], check=True, capture_output=True, text=True
        )
        found = json.loads(out.stdout.splitlines()[-1])
        results[name] = min(results.get(name, found), found, key=lambda each: each["seconds"])
    first = next(iter(results.values()))
    print(f"{'way':<18}" + "".join(f"{name:>10}{'ratio':>7}" for name in ("seconds", "CPU s", "peak MB")) + "  result")
    for name, each in results.items():
        columns = "".join(f"{each[key]:>10.1f}{each[key] / first[key]:>7.2f}" for key in ("seconds", "cpu", "peak"))
        print(f"{name:<18}{columns}  {each['result']}")


def run_one(work: Work, path: Path) -> None:
    """Do the work here and print what it took as one line of JSON."""
    start, cpu_start = time.perf_counter(), time.process_time()
    result = work(path)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak_mb(), "result": result}))


def peak_mb() -> float:
    """Peak resident memory of this program. Linux' ru_maxrss would count the parent before exec, VmHWM does not."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(each for each in status.read_text(encoding="ascii").splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes


def parser(description: str, works: Mapping[str, object]) -> argparse.ArgumentParser:
    """The arguments that all comparisons share."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--file", type=Path, help="measure on this file instead of a made-up one")
    arguments.add_argument(
        "--scale", type=float, default=1.0, help="size of the made-up file as a share of the real one"
    )
    arguments.add_argument("--way", choices=list(works), help="do it this one way, in this process")
    return arguments
