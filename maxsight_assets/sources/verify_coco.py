"""Checks any directory that looks like COCO 2017, whether or not it was landed here; training code calls it.

The rules are those of `coco_raw`. A directory without a manifest is taken as it is found: there is then nothing to
compare its bytes with, and the report says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import SplitCounts
from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets.landing import disk
from maxsight_assets.landing.manifest import FileRow, Manifest
from maxsight_assets.landing.publish import read_published
from maxsight_assets.sources import coco
from maxsight_assets.sources.raw import SOURCES, view
from maxsight_assets.verdict import Severity, Verdict, run
from maxsight_assets.verification.coco import CocoView
from maxsight_assets.verification.views import RawView

Level = Literal["names", "hashes", "decode"]
LEVELS: tuple[Level, ...] = get_args(Level)

_OF_HASHES = frozenset({"hashes_match", "how_verified"})
_OF_DECODING = frozenset({"every_image_decodes", "enough_images_decode", "stated_sizes_match"})
_NOT_READ = "0" * 64  # stands for a digest where no byte is read


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says of the directory.

    Attributes:
        severity: "error" where data that fails is unusable, "warn" where a person should look.
        description: What holds, and why it matters.
        verdict: How many records were looked at, how many offend, the first ten, and the remedy.
    """

    severity: Severity
    description: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class CocoReport:
    """What checking a COCO directory found.

    Attributes:
        directory: The directory.
        level: How deep it was looked at.
        compared_with: `manifest` where the directory was landed or adopted here, so that the bytes can be compared;
            `nothing` where it was not.
        counts: Images and boxes of the annotation files, by split. `published` states the catalog's.
        published: Images and boxes that the publisher's split holds as a whole, by split.
        findings: What each rule says.
    """

    directory: Path
    level: Level
    compared_with: Literal["manifest", "nothing"]
    counts: Mapping[str, SplitCounts]
    published: Mapping[str, SplitCounts]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every rule of severity error holds."""
        return all(finding.verdict.passed or finding.severity == "warn" for finding in self.findings)


def verify_coco_dataset(root: str | Path, *, level: Level = "hashes", cache: Path | None = None) -> CocoReport:
    """Check a COCO 2017 directory: `annotations/instances_<split>.json` and `<split>/*.jpg`.

    Args:
        root: The directory, landed by this project or not.
        level: `names` looks at names, sizes and annotations; `hashes` also reads every file and compares it with the
            manifest, where there is one; `decode` also decodes every image.
        cache: Parquet file of what is known of images by content, so that a second run decodes only new ones.

    Raises:
        FormatError: The directory does not look like COCO 2017.
        SettingsError: There is no such level.
        VerificationFailed: The directory was landed here and its manifest is damaged.
    """
    root = Path(root)
    if level not in LEVELS:
        raise SettingsError(f"level {level!r}: one of {', '.join(LEVELS)}")
    manifest = read_published(root)
    left_out = {"names": _OF_HASHES | _OF_DECODING, "hashes": _OF_DECODING, "decode": frozenset[str]()}[level]
    seen: RawView
    if manifest is None:
        left_out |= _OF_HASHES
        seen = _as_found(root, read=level == "decode", cache=cache)
    else:
        seen = view(SOURCES["coco"], root, manifest, cache=cache)
    rules = [rule for rule in SOURCES["coco"].rules if rule.name not in left_out]
    verdicts = run(rules, seen)
    counts = dict(sorted(seen.counted.items()))
    catalog = catalogs.load("coco").counts
    return CocoReport(
        directory=root,
        level=level,
        compared_with="nothing" if manifest is None else "manifest",
        counts=counts,
        published={split: catalog[split] for split in counts if split in catalog},
        findings=tuple(
            Finding(rule.severity, rule.description, verdict) for rule, verdict in zip(rules, verdicts, strict=True)
        ),
    )


def _as_found(root: Path, *, read: bool, cache: Path | None) -> CocoView:
    """A directory that nobody landed, as the rules look at it: whatever its annotations and their splits hold."""
    splits = [split for split in coco.SPLITS if coco.annotation_path(root, split).is_file()]
    if not splits:
        raise FormatError(
            f"{root}: does not look like COCO 2017: none of "
            f"{', '.join(coco.annotation_path(Path(), split).as_posix() for split in coco.SPLITS)} is there"
        )
    found = [
        (path, entry.stat().st_size)
        for path, entry in disk.walk(root)
        if path.partition("/")[0] in {"annotations", *splits} and entry.is_file()
    ]
    digests = disk.in_threads(lambda item: disk.sha256_of(root / item[0])[1] if read else _NOT_READ, found)
    rows = [FileRow(path, size, digest, "unverified") for (path, size), digest in zip(found, digests, strict=True)]
    selection = {"splits": dict.fromkeys(splits)}
    manifest = Manifest.of(rows, asset="coco_raw", source="upstream", selection=selection, inputs={})
    return CocoView(root=root, manifest=manifest, place=coco.DIRECTORY, read=coco.tables, cache=cache)
