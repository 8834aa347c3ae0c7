"""The errors that this project raises on purpose.

An error's text states what happened, to which file or record, and what to do about it. It never holds a secret: text
from a client library goes through `transport.redact` first.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from maxsight_assets.verdict import Verdict

RESUMABLE = "cancelled; what arrived is kept, rerun to resume"


class MaxSightAssetsError(Exception):
    """Root of the errors that a caller may want to catch."""


class SettingsError(MaxSightAssetsError):
    """An environment variable, a profile or a catalog file is wrong; the text names it."""


class UnknownName(SettingsError):
    """A name that the user gave is none of those there are; the text offers the nearest one.

    Args:
        kind: What it is the name of: "asset", "class", "rule".
        name: What the user gave.
        known: All names of that kind; the text lists them if they are few.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = list(dict.fromkeys(known))
        few = f"there are {', '.join(names)}" if len(names) <= _LISTED else f"there are {len(names):,} of them"
        super().__init__(f"no {kind} {name}; {meant(name, names)}{few}")


class NotReported(MaxSightAssetsError):
    """A command has done its work, but could not report it, or what is on the disk, to Dagster."""


class FormatError(MaxSightAssetsError):
    """An annotation file is not of the format that it claims; the text names the file and the place in it."""


class LandingError(MaxSightAssetsError):
    """Bytes could not be brought from upstream to a published directory.

    Attributes:
        retryable: Whether the same attempt may succeed later. A Dagster step retries only these errors.
    """

    retryable: bool = False


class TransientError(LandingError):
    """Upstream or the network failed in a way that may pass; all retries within one run have been used up."""

    retryable = True


class Cancelled(LandingError):
    """The caller's cancel event was set; the files verified so far are kept for the next run."""

    @classmethod
    def of(cls, key: str = "") -> Self:
        """Return the error of a transfer that was cancelled, of one file or of many."""
        return cls(f"{key}: {RESUMABLE}" if key else RESUMABLE)


@dataclass(frozen=True, slots=True)
class Received:
    """What a run received of an upstream file that is not what the catalog states.

    Attributes:
        key: The file's key.
        bytes: Its length now.
        etag: Its ETag, as upstream states it. The same for `last_modified`.
        sha256: Digest of its bytes, if all of them were received. The same for `md5` and `sha1`.
    """

    key: str
    bytes: int | None
    etag: str | None
    last_modified: str | None
    sha256: str | None = None
    md5: str | None = None
    sha1: str | None = None


class UpstreamChanged(LandingError):
    """A pinned upstream file is no longer what the catalog states. The user must accept it.

    Attributes:
        received: What was received of it; None if only a few ranges were read.
    """

    def __init__(self, message: str, received: Received | None = None) -> None:
        super().__init__(message)
        self.received = received


class VerificationFailed(LandingError):
    """Received bytes are not the expected ones (hash, CRC-32, length or magic bytes), also after one clean retry."""


class WrongArchive(VerificationFailed):
    """An archive as a whole is not the pinned one: none of its members may be used, even if they are sound."""


class UnsafeArchive(LandingError):
    """An archive holds what no dataset needs: a path out of its directory, a link, a bomb, overlapping entries."""


class PreflightFailed(LandingError):
    """Space, inodes, write access or names make the landing impossible; nothing was fetched."""


class Refused(LandingError):
    """The target holds something that this run must not touch, for instance data of another source."""


class NewerFormat(Refused):
    """A later release published the directory in a format that this one does not know; the text states which."""


class Busy(LandingError):
    """Another process is writing the same directory; the text names its process id."""

    retryable = True


class NotPublished(LandingError):
    """Staged data failed a blocking rule; the last good version stays.

    Attributes:
        verdicts: The verdicts of all rules that were run on the staged tree.
    """

    def __init__(self, message: str, verdicts: tuple[Verdict, ...] = ()) -> None:
        super().__init__(message)
        self.verdicts = verdicts


_LISTED = 60
"""Names of a kind that the error about an unknown one lists."""


def meant(name: str, known: Iterable[str]) -> str:
    """Return "did you mean X? " for the nearest of some names, whatever its case; empty if none is near."""
    folded = {each.lower().replace("_", " "): each for each in known}
    near = difflib.get_close_matches(name.lower().replace("_", " "), folded, n=1)
    return f"did you mean {folded[near[0]]}? " if near else ""


_SHOWN = 5
"""Names that a message lists; it counts the rest."""


def some(names: Sequence[str]) -> str:
    """Return the first few of some names, for a message, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
