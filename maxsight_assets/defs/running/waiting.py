"""Wait visibly while another run has the pool slot of a command-line run, and let a signal end the run.

Dagster's executor waits for a slot silently, in a busy loop, and handles no interrupt meanwhile.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._utils.concurrency import ConcurrencyClaimStatus
from dagster._utils.interrupts import check_captured_interrupt

from maxsight_assets.defs.running import dead_runs

POLL_S = 0.5
"""Seconds between two attempts to claim a slot; Ctrl-C, or a free slot, is noticed within this time."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what SIGINT does while the block runs; signals that are ignored (nohup) stay so."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers can be set only there
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)  # Dagster sets its own handler during a run
        if callable(handler):
            handler(number, frame)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def waiting_aloud(instance: dg.DagsterInstance, say: Callable[[str], None]) -> Iterator[None]:
    """During the block, report the run that a step of this process waits for, free dead runs' slots, heed interrupts.

    The claim is the one call that Dagster's executor repeats while it waits, on its main thread and outside of any
    transaction. There is no other hook.
    """
    storage = instance.event_log_storage
    claim = storage.claim_concurrency_slot
    told = set[str]()

    def patient(concurrency_key: str, run_id: str, step_key: str, *args: Any) -> ConcurrencyClaimStatus:
        status = claim(concurrency_key, run_id, step_key, *args)
        if status.is_claimed:
            return status
        for line in (*dead_runs.heal(instance), *_holders(instance, concurrency_key, told)):
            say(line)
        if check_captured_interrupt():
            raise KeyboardInterrupt
        time.sleep(POLL_S)
        again: ConcurrencyClaimStatus = status.with_sleep_interval(0.0)
        return again

    setattr(storage, "claim_concurrency_slot", patient)  # noqa: B010
    try:
        yield
    finally:
        setattr(storage, "claim_concurrency_slot", claim)  # noqa: B010


def _holders(instance: dg.DagsterInstance, pool: str, told: set[str]) -> Iterator[str]:
    """Return one line on each run that holds a slot of the pool and was not reported yet."""
    for slot in instance.event_log_storage.get_concurrency_info(pool).claimed_slots:
        record = instance.get_run_record_by_id(slot.run_id)
        if record is None or slot.run_id in told:
            continue
        told.add(slot.run_id)
        run, crew = record.dagster_run, dead_runs.Crew.of(instance, record.dagster_run)
        leader = next(iter(crew.found()), None)
        since = dead_runs.since(record.start_time or record.create_timestamp.timestamp())
        how = f"`kill {leader.pid}`" if leader and GRPC_INFO_TAG not in run.tags else "Terminate in the UI"
        yield f"{pool}: waiting for {dead_runs.named(run)}, {crew}, since {since}; {how} ends it, Ctrl-C ends the wait"
