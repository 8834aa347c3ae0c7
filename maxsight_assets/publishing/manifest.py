"""The manifest of a published directory: one row a file, and a page about the whole.

`.maxsight/manifest.parquet` holds the rows, `.maxsight/MANIFEST.json` the page. The page is written last, so nothing is
published if it is missing. The same content gives the same bytes of both, except for times.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import reduce
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from maxsight_assets import disk
from maxsight_assets.disk import Hashed, in_threads, sha256_of, write_atomic
from maxsight_assets.errors import NewerFormat, VerificationFailed
from maxsight_assets.remote import Level

FOLDER = ".maxsight"
ROWS = f"{FOLDER}/manifest.parquet"
PAGE = f"{FOLDER}/MANIFEST.json"

_LEVELS = frozenset(get_args(Level))
_SHA256_CHARACTERS = hashlib.sha256().digest_size * 2
_NOT_PLAIN = re.compile(rf"(^|/)(/|$|\.\.?(/|$))|^\{FOLDER}(/|$)|\\")
"""What no path has: an empty segment, `.` or `..`, our own folder at its head, a backslash."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of a published directory.

    Attributes:
        path: POSIX path relative to the directory.
        bytes: Its length.
        sha256: Lower-case hex digest of its bytes.
        level: How its bytes were verified when they were landed.
        crc32: CRC-32 of its bytes, if it came from an archive that stated one.
        etag: ETag of its upstream object, if it has an object of its own.
        width: Pixels, by the file's header, if it is an image. The same for `height`.
        origin: Where it came from: an object's key, or `zips/val2017.zip!val2017/000000000139.jpg`; never an address.
        verified_at: Time when it was verified, ISO 8601, UTC; None for files that this project made.
        kept: Whether it was landed for an earlier selection and kept; then it is not part of the data version.

    Raises:
        ValueError: The path is not a plain relative one, or another field has an impossible value.
    """

    path: str
    bytes: int
    sha256: str
    level: Level
    crc32: int | None = None
    etag: str | None = None
    width: int | None = None
    height: int | None = None
    origin: str | None = None
    verified_at: str | None = None
    kept: bool = False

    def __post_init__(self) -> None:
        if _NOT_PLAIN.search(self.path):
            raise ValueError(f"{self.path!r}: no plain relative POSIX path; a file of a dataset cannot be there")
        if not self.path.isprintable():
            raise ValueError(f"{self.path!r}: control characters in a path")
        if self.bytes < 0 or len(self.sha256) != _SHA256_CHARACTERS or self.level not in _LEVELS:
            raise ValueError(
                f"{self.path}: bytes {self.bytes}, sha256 {self.sha256!r}, level {self.level!r} make no row"
            )


class Sum(NamedTuple):
    """What a file's bytes are compared with: its path, its length and its sha256."""

    path: str
    bytes: int
    sha256: str


class Rows(Mapping[str, FileRow]):
    """The rows of a manifest by path, sorted: a table, of which a row becomes an object when it is asked for."""

    __slots__ = ("_columns", "_places", "table")

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._columns = [column.combine_chunks() for column in table.columns]
        self._places: dict[str, int] | None = None

    @classmethod
    def of(cls, rows: Iterable[FileRow]) -> "Rows":
        """Return rows as a table; of equal paths, the last row counts."""
        by_path = {row.path: row for row in rows}
        ordered = [by_path[path] for path in sorted(by_path)]
        columns = {name: [getattr(row, name) for row in ordered] for name in _SCHEMA.names}
        return cls(pa.table(columns, schema=_SCHEMA))

    @property
    def places(self) -> Mapping[str, int]:
        """The number of each path's row."""
        if self._places is None:
            self._places = {path: number for number, path in enumerate(self._columns[0].to_pylist())}
        return self._places

    def __getitem__(self, path: str) -> FileRow:
        number = self.places[path]
        return FileRow(*(column[number].as_py() for column in self._columns))

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __contains__(self, path: object) -> bool:
        return path in self.places

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and bool(self.table.equals(other.table))

    __hash__ = None  # type: ignore[assignment]

    def each(self) -> Iterator[FileRow]:
        """Yield all rows as objects; quicker than asking for them one by one."""
        return (FileRow(*values) for values in zip(*(column.to_pylist() for column in self._columns), strict=True))

    def selected(self) -> "Rows":
        """Return the rows of the data version: all but those of kept files."""
        return Rows(self.table.filter(compute.invert(self.table["kept"])))

    def pictures(self) -> "Rows":
        """Return the rows of files whose header states a width, kept ones included."""
        return Rows(self.table.filter(compute.is_valid(self.table["width"])))

    def others(self) -> "Rows":
        """Return the rows of files that are no pictures: annotations, for instance."""
        return Rows(self.table.filter(compute.is_null(self.table["width"])))

    def sums(self) -> Iterator[Sum]:
        """Yield what the bytes of each file are compared with."""
        return map(Sum, *(self.table[name].to_pylist() for name in Sum._fields))

    def insist_sound(self) -> None:
        """Refuse rows that are out of order or that no `FileRow` can hold.

        Raises:
            ValueError: As `FileRow` raises it; or a path is there twice, or out of order.
        """
        path, size, sha256, level = (self.table[name] for name in ("path", "bytes", "sha256", "level"))
        sound = reduce(
            compute.and_,
            (
                compute.match_substring_regex(path, r"^[ -~]+$"),  # others may be sound too: their objects say
                compute.invert(compute.match_substring_regex(path, _NOT_PLAIN.pattern)),
                compute.greater_equal(size, 0),
                compute.equal(compute.utf8_length(sha256), _SHA256_CHARACTERS),
                compute.is_in(level, pa.array(sorted(_LEVELS))),
            ),
        )
        for _ in Rows(self.table.filter(compute.invert(sound.fill_null(False)))).each():
            pass
        if not compute.all(compute.less(path[:-1], path[1:])).as_py() and self.table.num_rows > 1:
            raise ValueError("its paths are not sorted, or one is there twice")


FORMAT = (1, 1)
"""Version of the format on disk (docs/reference/on-disk-format.md): every 1.x reads all 1.x, none a later major."""


@dataclass(frozen=True, slots=True)
class ManifestInfo:
    """The page about a published directory.

    Attributes:
        asset: The asset that published it.
        source: `embedded` (the drawn world) or `upstream`.
        selection: The selection that the version was published for, as JSON values.
        inputs: Fingerprint or data version of each upstream file or asset that it was made from, by key.
        data_version: Digest of what it publishes.
        files: Number of files of the data version; kept files do not count. The same for `bytes`.
        keep: Whether files of earlier selections stay when a selection shrinks.
        published_at: Time when this data version was published, ISO 8601, UTC; None if an earlier release did it.
    """

    asset: str
    source: str
    selection: Mapping[str, Any]
    inputs: Mapping[str, str]
    data_version: str
    files: int
    bytes: int
    keep: bool = False
    published_at: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a published directory.

    Attributes:
        rows: All files by path, in sorted order.
        info: The page about the whole.
    """

    rows: Rows
    info: ManifestInfo

    @classmethod
    def of(
        cls,
        rows: Iterable[FileRow],
        *,
        asset: str,
        source: str,
        selection: Mapping[str, Any],
        inputs: Mapping[str, str],
        keep: bool = False,
    ) -> "Manifest":
        """Make the manifest of these files."""
        table = Rows.of(rows)
        live = table.selected()
        info = ManifestInfo(
            asset=asset,
            source=source,
            selection=json.loads(json.dumps(selection)),  # so that it equals the value that is read back
            inputs=dict(inputs),
            data_version=_data_version(live),
            files=len(live),
            bytes=sum(live.table["bytes"].to_pylist()),
            keep=keep,
        )
        return cls(table, info)

    def with_rows(self, rows: Iterable[FileRow]) -> "Manifest":
        """Return a manifest with this page and other rows; the selected files must be the same."""
        return Manifest(Rows.of(rows), self.info)

    def published(self, at: str) -> "Manifest":
        """Return this manifest with the time of its publication."""
        return replace(self, info=replace(self.info, published_at=at))

    @property
    def data_version(self) -> str:
        """Digest of what the directory publishes."""
        return self.info.data_version

    def selected(self) -> Iterator[FileRow]:
        """Return the files of the data version, in the order of their paths: all but the kept ones."""
        return self.rows.selected().each()

    def page(self) -> bytes:
        """Return the bytes of MANIFEST.json."""
        values = {field.name: getattr(self.info, field.name) for field in fields(ManifestInfo)}
        values["format"] = ".".join(map(str, FORMAT))
        return (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()

    def table(self) -> bytes:
        """Return the bytes of manifest.parquet."""
        sink = BytesIO()
        pq.write_table(
            self.rows.table.combine_chunks(), sink, compression="zstd", write_page_checksum=True, store_schema=False
        )
        return sink.getvalue()

    def write(self, root: Path, *, scratch: Path) -> None:
        """Write both files into a directory, durably, the page last; a file that has these bytes already stays.

        Args:
            root: The directory that the manifest is of.
            scratch: A free name on the same file system, outside the directory.
        """
        (root / FOLDER).mkdir(exist_ok=True)
        for name, data in ((ROWS, self.table()), (PAGE, self.page())):
            if not (root / name).is_file() or (root / name).read_bytes() != data:
                write_atomic(root / name, data, scratch=scratch)

    @classmethod
    def read(cls, root: Path) -> "Manifest | None":
        """Read the manifest of a directory.

        The bytes of both files are read each time. If they are those of a manifest that this process has read lately,
        it is the same object.

        Returns:
            The manifest; None if the directory has no page: nothing is published there.

        Raises:
            NewerFormat: A later release wrote it.
            VerificationFailed: The manifest is damaged; the text names the file.
        """
        while True:
            try:
                page = (root / PAGE).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                return cls._parsed(root, page)
            except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
                if isinstance(error, OSError) and error.errno in disk.AWAY | disk.SILENT:
                    raise  # the drive is away, and the manifest may be whole
                if _is_still(root, page):  # else another version was swapped in between the two files
                    raise VerificationFailed(
                        f"{root / FOLDER}: the manifest is damaged ({error}); rerun the asset to publish it anew, "
                        "or roll back"
                    ) from error

    @classmethod
    def _parsed(cls, root: Path, page: bytes) -> "Manifest":
        data = (root / ROWS).read_bytes()
        key = page, hashlib.sha256(data).digest()
        known = _RECENT.get(key)
        if known is not None:
            return known
        info = _info_of(root, json.loads(page))
        # ParquetFile rather than read_table, which imports pyarrow's dataset layer, slow at the first call
        with pq.ParquetFile(BytesIO(data), page_checksum_verification=True) as file:
            rows = Rows(file.read().select(_SCHEMA.names).cast(_SCHEMA).combine_chunks())
        rows.insist_sound()
        if _data_version(rows.selected()) != info.data_version:
            raise ValueError("its rows do not make the data version that its page states")
        manifest = cls(rows, info)
        with _KEEPING:
            while len(_RECENT) >= _RECENT_MANIFESTS:
                del _RECENT[next(iter(_RECENT))]
            _RECENT[key] = manifest
        return manifest


_RECENT_MANIFESTS = 8
"""Manifests that a process keeps: those of one graph, with one to spare."""

_RECENT: dict[tuple[bytes, bytes], Manifest] = {}
"""The manifests that were read last, by the bytes of their page and the digest of their rows' file."""

_KEEPING = threading.Lock()


def _info_of(root: Path, values: Mapping[str, Any]) -> ManifestInfo:
    """Return the fields of the page that this release knows; a later 1.x may have added others.

    Raises:
        NewerFormat: The page has a later major version.
    """
    stated = str(values.get("format", "1.0"))  # releases before 0.2 state none
    if int(stated.partition(".")[0]) > FORMAT[0]:
        raise NewerFormat(
            f"{root / PAGE}: format {stated} was written by a later release, and this one reads up to {FORMAT[0]}.x; "
            "upgrade maxsight-assets"
        )
    known = {field.name for field in fields(ManifestInfo)}
    return ManifestInfo(**{name: value for name, value in values.items() if name in known})


def _is_still(root: Path, page: bytes) -> bool:
    try:
        return (root / PAGE).read_bytes() == page
    except OSError:
        return False


_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("level", pa.string()),
        ("crc32", pa.uint32()),
        ("etag", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("origin", pa.string()),
        ("verified_at", pa.string()),
        ("kept", pa.bool_()),
    ]
)


def now(timespec: str = "seconds") -> str:
    """Return this moment, UTC, as manifests state times; `timespec` is that of `datetime.isoformat`."""
    return datetime.now(UTC).isoformat(timespec=timespec)


def info_of(root: Path) -> ManifestInfo | None:
    """Read only the page about a directory, also if the rows are damaged; None if no page can be read."""
    try:
        return _info_of(root, json.loads((root / PAGE).read_bytes()))
    except (OSError, ValueError, TypeError, AttributeError, NewerFormat):
        return None


def source_of(root: Path) -> str | None:
    """Return the source that a directory's page states, also if the rows are damaged; None if no page can be read."""
    try:
        return str(json.loads((root / PAGE).read_bytes())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def data_version(rows: Iterable[FileRow]) -> str:
    """Return the hex digest of the sorted (path, bytes, sha256) of all but kept rows; equal content, equal digest."""
    return _data_version(Rows.of(rows).selected())


def _data_version(rows: Rows) -> str:
    path, size, sha256 = (rows.table[name].cast(pa.string()) for name in Sum._fields)
    lines = compute.binary_join_element_wise(path, size, compute.binary_join_element_wise(sha256, "\n", ""), "\0")
    return hashlib.sha256("".join(lines.to_pylist()).encode()).hexdigest()


def parents(path: str) -> Iterator[str]:
    """Yield the folders that a POSIX path lies in, innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def problem(root: Path, row: FileRow | Sum, *, hashed: Hashed | None = None) -> str | None:
    """Return what is wrong with the bytes of a row's file; None if they are as the row states."""
    try:
        size, digest = sha256_of(f"{root}/{row.path}", hashed=hashed)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if size != row.bytes:
        return f"{row.bytes:,} bytes expected, {size:,} found"
    return None if digest == row.sha256 else f"sha256 {row.sha256[:12]} expected, {digest[:12]} found"


def problems(root: Path, rows: Iterable[FileRow | Sum], *, hashed: Hashed | None = None) -> dict[str, str]:
    """Return what is wrong with the files that are not as their rows state, by path; a few threads hash them.

    Args:
        root: The directory.
        rows: What its files should be.
        hashed: As for `disk.sha256_of`.
    """
    listed = sorted(rows, key=lambda row: row.path)
    answers = in_threads(lambda row: problem(root, row, hashed=hashed), listed)
    return {row.path: answer for row, answer in zip(listed, answers, strict=True) if answer is not None}
