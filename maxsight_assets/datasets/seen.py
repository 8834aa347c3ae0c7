"""What upstream states about the files of a dataset, and the one fingerprint that is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from maxsight_assets.remote import Probe
from maxsight_assets.transport.listing import Listed


@dataclass(frozen=True, slots=True)
class Seen:
    """What upstream stated about some files at one look.

    Attributes:
        fingerprint: One fingerprint of them, see `combined`; empty while listings have not come to their end.
        files: What upstream states about each.
        listings: How far listings have come, if one is left to go on with.
    """

    fingerprint: str
    files: Mapping[str, Probe] = field(default_factory=dict)
    listings: Mapping[str, Listed] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Mapping[str, Probe]) -> "Seen":
        """Return what was seen of all files."""
        return cls(combined(fingerprints(files)), files)


def fingerprints(files: Mapping[str, Probe]) -> dict[str, str]:
    """Return the fingerprint of each file."""
    return {key: probe.fingerprint() for key, probe in files.items()}


def combined(fingerprints: Mapping[str, str]) -> str:
    """Return one fingerprint of several files: the data version of an upstream asset."""
    lines = "".join(f"{key}\t{value}\n" for key, value in sorted(fingerprints.items()))
    return sha256(lines.encode()).hexdigest()
