"""Check any directory that looks like COCO 2017, whether or not this project landed it; training code calls this.

The rules are those of `coco_raw`. A directory without a manifest is checked as it is. Its bytes are compared with the
CRC-32s of the publisher's archives if the caller passes an upstream. Otherwise the report states that the bytes were
compared with nothing.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from maxsight_assets import disk
from maxsight_assets.archives.archive import Member, open_archive
from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import SplitCounts
from maxsight_assets.datasets.coco import foreign
from maxsight_assets.datasets.coco import source as coco
from maxsight_assets.datasets.coco.rules import CocoView
from maxsight_assets.datasets.coco.selection import CocoSelection
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets.publishing.expected import Expected, examine
from maxsight_assets.publishing.manifest import FileRow, Manifest
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.verdict import Severity, Verdict, run, unlooked, verdict_of
from maxsight_assets.verification.views import RawView

Level = Literal["names", "hashes", "decode"]
LEVELS: tuple[Level, ...] = get_args(Level)

_OF_HASHES = frozenset({"hashes_match", "how_verified"})
_OF_DECODING = frozenset(
    {
        "every_image_decodes",
        "enough_images_decode",
        "stated_sizes_match",
        "pictures_are_upright",
        "pictures_have_one_id",
        "images_are_rgb_or_gray",
    }
)
_NOT_READ = "0" * 64  # takes the place of a digest if no byte is read


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one rule on the directory.

    Attributes:
        severity: "error" if data that fails is unusable, "warn" if the user should look at it.
        description: What holds, and why it matters.
        verdict: The numbers of checked records and of offenders, the first ten offenders, and the remedy.
    """

    severity: Severity
    description: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class CocoReport:
    """The result of checking a COCO directory.

    Attributes:
        directory: The directory.
        level: The depth of the check.
        compared_with: What the bytes were compared with: `manifest` if this project landed or adopted the directory,
            `upstream` if the indexes of the publisher's archives were read; otherwise, and at level `names`, `nothing`.
        counts: Images and boxes of the annotation files, by split. `published` states the catalog's.
        published: Images and boxes of the publisher's whole split, by split.
        findings: The result of each rule.
    """

    directory: Path
    level: Level
    compared_with: Literal["manifest", "upstream", "nothing"]
    counts: Mapping[str, SplitCounts]
    published: Mapping[str, SplitCounts]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Return whether every rule of severity error holds."""
        return all(finding.verdict.passed or finding.severity == "warn" for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(text for text, _ in self.lines())

    __repr__ = __str__  # a notebook shows it, and the findings are long

    def lines(self) -> Iterator[tuple[str, Severity | None]]:
        """Yield what was found as lines for the user, each with the severity of the rule that it is about, if any."""
        yield f"{self.directory}: looked at {self.level}, bytes compared with {self.compared_with}", None
        for split, counts in self.counts.items():
            stated = self.published.get(split)
            whole = f" (published: {stated.images:,} and {stated.boxes:,})" if stated else ""
            yield f"  {split}: {counts.images:,} images and {counts.boxes:,} boxes annotated{whole}", None
        yield f"{sum(each.verdict.passed for each in self.findings)} of {len(self.findings)} rules hold", None
        for finding in self.findings:
            verdict = finding.verdict
            if verdict.judged and not verdict.passed:
                text = f"  {finding.severity.upper():5} {verdict.rule}: {verdict.offenders:,} of {verdict.checked:,}"
                yield f"{text}: {', '.join(verdict.examples)}. {verdict.remedy}", finding.severity
        for line in unlooked(sum(not finding.verdict.judged for finding in self.findings)):
            yield f"  {line}", None


def verify_coco_dataset(
    root: str | Path, *, level: Level = "hashes", cache: Path | None = None, upstream: Upstream | None = None
) -> CocoReport:
    """Check a COCO 2017 directory: `annotations/instances_<split>.json` and `<split>/*.jpg`.

    Args:
        root: The directory, landed by this project or not.
        level: `names` checks names, sizes and annotations; `hashes` also reads every file and compares it with the
            manifest, if there is one; `decode` also decodes every image.
        cache: Parquet file of facts of images by content, so that a second run decodes only new images.
        upstream: COCO's (`datasets.upstreams.open_upstream`), whose archives' indexes a directory without a manifest is
            compared with from level `hashes` on; some megabytes of traffic. None: it is not asked.

    Raises:
        FormatError: The directory does not look like COCO 2017.
        LandingError: The given upstream does not answer; see its subclasses.
        SettingsError: The level does not exist.
        VerificationFailed: This project landed the directory, and its manifest is damaged.
    """
    root = Path(root)
    if level not in LEVELS:
        raise SettingsError(f"level {level!r}: one of {', '.join(LEVELS)}")
    manifest = recovered_manifest(root)
    left_out = {"names": _OF_HASHES | _OF_DECODING, "hashes": _OF_DECODING, "decode": frozenset[str]()}[level]
    seen: RawView
    compared: tuple[Finding, ...] = ()
    if manifest is None:
        left_out |= _OF_HASHES | {"no_unlisted_files"}  # judged by the layout
        seen, layout = _as_found(root, read=level == "decode", cache=cache)
        left_out |= frozenset() if layout.here else foreign.JUDGED_BY_LAYOUT
        layouts = tuple(
            Finding("error" if severity == "error" else "warn", description, verdict)
            for severity, description, verdict in foreign.of_layout(layout)
        )
        compared = (*(() if level == "names" else (_compared(seen, upstream),)), *layouts)
    else:
        seen = coco.SOURCE.view(root, manifest, cache=cache)
    rules = [rule for rule in coco.SOURCE.rules if rule.name not in left_out]
    verdicts = run(rules, seen)
    if manifest is None:
        verdicts = tuple(replace(each, remedy=foreign.remedy_for(each.rule, each.remedy)) for each in verdicts)
    counts = dict(sorted(seen.counted.items()))
    catalog = catalogs.load("coco").counts
    without_manifest: Literal["upstream", "nothing"] = "upstream" if upstream and level != "names" else "nothing"
    return CocoReport(
        directory=root,
        level=level,
        compared_with=without_manifest if manifest is None or level == "names" else "manifest",
        counts=counts,
        published={split: catalog[split] for split in counts if split in catalog},
        findings=(
            *compared,
            *(Finding(rule.severity, rule.description, verdict) for rule, verdict in zip(rules, verdicts, strict=True)),
        ),
    )


def _compared(seen: RawView, upstream: Upstream | None) -> Finding:
    """Compare the bytes of a foreign directory with what upstream's archives state about their members.

    Without an upstream the files are compared with nothing, which is a finding of its own.
    """
    paths = sorted(seen.files["path"])
    if upstream is None:
        verdict = Verdict(
            rule="bytes_are_compared",
            passed=False,
            checked=len(paths),
            offenders=len(paths),
            examples=("the directory was not landed here, so there is no hash to compare any of its files with",),
            remedy="Ask upstream for the CRC-32s (`--ask-upstream`), or take the directory over with `adopt`.",
        )
        return Finding("warn", "Every file's bytes are those of a hash or checksum that is stated for it.", verdict)
    splits = [split for split in coco.SPLITS if coco.annotation_path(seen.root, split).is_file()]
    members = _members(upstream, coco.files(CocoSelection(splits=dict.fromkeys(splits))))
    faults = disk.in_threads(lambda path: _fault(seen.root, path, members.get(path)), paths)
    verdict = verdict_of(
        "bytes_match_upstream",
        [f"{path}: {fault}" for path, fault in zip(paths, faults, strict=True) if fault],
        checked=len(paths),
        remedy="Delete these files and take the directory over with `maxsight-assets adopt`, which fetches them.",
        facts={"level crc32+size": len(paths)},
    )
    return Finding("error", "Every file has the size and CRC-32 that the publisher's archive states of it.", verdict)


def _members(upstream: Upstream, keys: Sequence[str]) -> dict[str, Member]:
    """Return the members of upstream's archives by name; only the index is read if the server supports ranges."""
    members: dict[str, Member] = {}
    with tempfile.TemporaryDirectory() as downloads, contextlib.ExitStack() as stack:
        for key in keys:
            archive = upstream.first(
                key, lambda client, file: stack.enter_context(open_archive(client, file, downloads=Path(downloads)))
            )
            members |= archive.members
    return members


def _fault(root: Path, path: str, member: Member | None) -> str | None:
    if member is None:
        return "not in the publisher's archives"
    found = examine(root, Expected(path, member.bytes, crc32=member.crc32))
    return found if isinstance(found, str) else None


def _as_found(root: Path, *, read: bool, cache: Path | None) -> tuple[CocoView, foreign.Layout]:
    """Return the view of a directory without a manifest: whatever its annotations and their splits hold."""
    splits = [split for split in coco.SPLITS if coco.annotation_path(root, split).is_file()]
    if not splits:
        raise FormatError(
            f"{root}: does not look like COCO 2017: none of "
            f"{', '.join(coco.annotation_path(Path(), split).as_posix() for split in coco.SPLITS)} is there; "
            f"{foreign.without_annotations(root)}"
        )
    layout = foreign.layout_of(root, {split: _listed(root, split) for split in splits})
    splits = [split for split in splits if split in layout.here] or splits
    aside = {*layout.companions, *layout.unlisted}
    found = [
        (path, entry.stat().st_size)
        for path, entry in disk.walk(root)
        if path.partition("/")[0] in {"annotations", *splits} and path not in aside and entry.is_file()
    ]
    began = time.time() if read else None
    digests = disk.in_threads(lambda item: disk.sha256_of(root / item[0])[1] if read else _NOT_READ, found)
    rows = [FileRow(path, size, digest, "unverified") for (path, size), digest in zip(found, digests, strict=True)]
    selection = {"splits": dict.fromkeys(splits)}
    manifest = Manifest.of(rows, asset="coco_raw", source="upstream", selection=selection, inputs={})
    view = CocoView(root=root, manifest=manifest, place=coco.DIRECTORY, read=coco.tables, cache=cache, hashed_at=began)
    return view, layout


def _listed(root: Path, split: str) -> frozenset[str]:
    """File names that the annotations of a split list; none if they cannot be read, which the rules say."""
    try:
        paths = coco.read_split(root, split).tables().images["path"].drop_nulls()
    except FormatError:
        return frozenset()
    return frozenset(path.removeprefix(f"{coco.DIRECTORY}/{split}/") for path in paths)
