"""The errors that this project raises on purpose.

An error's text says what happened, to which file or record, and what to do about it. It never holds a secret: text that
comes from a client library goes through `transport.redact` first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from maxsight_assets.verdict import Verdict


class MaxSightAssetsError(Exception):
    """Root of the errors that a caller may want to catch."""


class SettingsError(MaxSightAssetsError):
    """An environment variable, a profile or a catalog file is wrong; the text names it."""


class NotReported(MaxSightAssetsError):
    """What a command did, or what is on the disk, could not be reported to Dagster; it is done all the same."""


class FormatError(MaxSightAssetsError):
    """An annotation file cannot be read as what it claims to be; the text names the file and the place in it."""


class LandingError(MaxSightAssetsError):
    """Bytes could not be brought from upstream to a published directory.

    Attributes:
        retryable: Whether the same attempt, made again later, may succeed. A Dagster step retries only these.
    """

    retryable: bool = False


class TransientError(LandingError):
    """Upstream or the line failed in a way that may pass; bounded retries inside `landing` have been used up."""

    retryable = True


class Cancelled(LandingError):
    """The caller's cancel event was set; what was verified so far is kept for the next run."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a run saw of an upstream file that is not what the catalog states.

    Attributes:
        key: The file's key.
        bytes: Its length now.
        etag: What upstream says of it. The same for `last_modified`.
        sha256: Digest of what came, where all of it did. The same for `md5` and `sha1`.
    """

    key: str
    bytes: int | None
    etag: str | None
    last_modified: str | None
    sha256: str | None = None
    md5: str | None = None
    sha1: str | None = None


class UpstreamChanged(LandingError):
    """A pinned upstream file no longer is what the catalog states. A person must accept it.

    Attributes:
        received: What was seen of it; None where nothing but a few ranges was read.
    """

    def __init__(self, message: str, received: Received | None = None) -> None:
        super().__init__(message)
        self.received = received


class VerificationFailed(LandingError):
    """Received bytes are not the expected ones (hash, CRC-32, length or magic bytes), also after one clean retry."""


class WrongArchive(VerificationFailed):
    """An archive as a whole is not the pinned one: nothing of it may be used, however sound its members are."""


class UnsafeArchive(LandingError):
    """An archive holds something that no dataset needs: a path that climbs out, a link, a bomb, overlapping entries."""


class PreflightFailed(LandingError):
    """Space, inodes, write access or names rule the landing out before a byte moves."""


class Refused(LandingError):
    """The target holds something that this run must not touch, for instance data of another source."""


class NewerFormat(Refused):
    """A later release published the directory in a form that this one does not know; the text says which."""


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


_SHOWN = 5
"""Names that a message lists; the rest is counted."""


def some(names: Sequence[str]) -> str:
    """The first few of these, for a message, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
