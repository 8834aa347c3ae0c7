"""The outcome of one exchange with upstream: an answer to read from, or one of a few distinct faults.

The faults here never leave landing: `transport.transfer` turns them into retries, a new start, or an error of
`maxsight_assets.errors`.
"""

import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from maxsight_assets.errors import Cancelled, TransientError
from maxsight_assets.remote import Probe
from maxsight_assets.transport.options import Limits
from maxsight_assets.transport.watch import TICK_S

CHUNK_BYTES = 128 << 10
"""Bytes read at a time: larger blocks cost more in memory management than they save in calls."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$")


class Again(Exception):
    """The exchange failed in a way that may pass.

    Attributes:
        wait_s: How long upstream asks to wait, if it does.
        busy: Whether upstream reports that it has too much to do.
    """

    def __init__(self, reason: str, *, wait_s: float | None = None, busy: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.busy = busy


class VersionChanged(Exception):
    """Upstream holds another version than the one that was asked for."""


class WrongRange(Exception):
    """The answer to a range is not that range."""


class PastEnd(Exception):
    """The asked range begins at or after the object's end (416).

    Attributes:
        total: The object's length; None if upstream does not state it.
    """

    def __init__(self, total: int | None) -> None:
        super().__init__(f"the object ends at {total} bytes")
        self.total = total


class Absent(Exception):
    """Upstream refuses the object: 401, 403, 404 and the other 4xx that do not pass, see `answers.REFUSED`.

    Attributes:
        status: The HTTP status.
        said: Status and reason, for instance `404 Not Found`.
        remedy: What the user can do about it.
    """

    def __init__(self, status: int, said: str, remedy: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said
        self.remedy = remedy


class Reply(Protocol):
    """A body that can be read.

    Attributes:
        start: Offset of its first byte in the object.
        length: Bytes that it announces; None if it announces none.
        probe: What upstream states about the object.
        encoded: Whether the bytes are decoded on arrival, so that offsets in them mean nothing upstream.
        published_sha256: The object's digest, if upstream states it beside the object.
    """

    start: int
    length: int | None
    probe: Probe
    encoded: bool
    published_sha256: str | None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive; raise `Again` if they end early."""

    def close(self) -> None:
        """Give the connection up, or back."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The part of an object that is requested.

    Attributes:
        start: First byte.
        length: Bytes from there; None: to the end.
        since: The version that earlier bytes belong to; None: any version.
        abort: Ends the exchange when set, beside the client's own cancel event.
    """

    start: int = 0
    length: int | None = None
    since: Probe | None = None
    abort: threading.Event | None = None

    @property
    def ranged(self) -> bool:
        """Whether the part is less than the whole object."""
        return self.start > 0 or self.length is not None

    def header(self) -> str:
        """Return the value of a Range header."""
        return f"bytes={self.start}-{'' if self.length is None else self.start + self.length - 1}"


def content_range(text: str | None, ask: Ask) -> tuple[int, int | None]:
    """Return the lengths of the body and of the object that a 206's Content-Range states.

    Raises:
        WrongRange: It is not the range that was asked for.
    """
    found = _CONTENT_RANGE.match(text or "")
    if not found:
        raise WrongRange(f"a partial answer with Content-Range {text!r}")
    first, last = int(found[1]), int(found[2])
    total = None if found[3] == "*" else int(found[3])
    known = ask.since.bytes if ask.since else None
    if known is not None and total is not None and total != known:
        raise WrongRange(f"the object has {total:,} bytes now, {known:,} before")
    length = total if total is not None else known
    end = (length or last + 1) - 1 if ask.length is None else ask.start + ask.length - 1
    if first != ask.start or last != end or last < first:
        raise WrongRange(f"bytes {first}-{last} came, {ask.start}-{end} were asked for")
    return last - first + 1, length


class Attempts:
    """Counts the tries of one exchange that bring nothing new, and waits between them.

    Args:
        key: The object's name in messages.
        limits: Bounds of tries and waits.
        cancel: Ends the tries when set.
        abort: Ends them too.
        advice: What the user can do when no try is left.
    """

    def __init__(
        self,
        key: str,
        limits: Limits,
        cancel: threading.Event,
        *,
        abort: threading.Event | None = None,
        advice: str = "what arrived is kept, rerun to resume",
    ) -> None:
        self._key = key
        self._advice = advice
        self._limits = limits
        self._cancel = cancel
        self._abort = abort or cancel
        self._count = 0

    def check(self) -> None:
        """Raise if no further try is wanted.

        Raises:
            Cancelled: The cancel event or `abort` is set.
        """
        if self._cancel.is_set() or self._abort.is_set():
            raise Cancelled.of(self._key) from None

    def progressed(self) -> None:
        """Something new arrived: the count starts anew."""
        self._count = 0

    def failed(self, fault: Again) -> None:
        """Wait before the next try.

        Raises:
            TransientError: No try is left.
            Cancelled: An event was set before or during the wait.
        """
        self.check()
        self._count += 1
        if self._count >= self._limits.attempts:
            raise TransientError(f"{self._key}: {fault} ({self._count} tries); {self._advice}") from None
        wait = min(self._limits.backoff_s * 2 ** (self._count - 1), self._limits.backoff_cap_s)
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret
        if fault.wait_s is not None:
            wait = min(fault.wait_s, self._limits.retry_after_cap_s)
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            self._cancel.wait(min(left, TICK_S))
            self.check()
