"""A published directory that is landed anew from an upstream with a fault; what must hold afterwards is asserted here.

Every address that is fetched carries canaries where secrets would be, every write of the process is watched, and when
the fault is over a plain rerun must heal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from maxsight_assets import disk
from maxsight_assets.errors import LandingError
from maxsight_assets.publishing.manifest import FileRow, Manifest
from maxsight_assets.publishing.stage import Stage, staging
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.options import Limits
from maxsight_assets_tests.invariants import assert_invariants, writes_only_below
from maxsight_assets_tests.publishing.staged import land, passing
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.transport.net_tools import address_of

CANARIES = ("canary-user", "canary-password", "canary-token", "canary-key-id", "canary-secret-key", "hf_canary")
LAST_GOOD = {"got": b"last good", "kept.jpg": b"named by a split"}


class Ground:
    """A target whose version of before must survive, and from which an image must not go away.

    Attributes:
        target: The published directory.
        sound: What upstream has at the end of the fault.
        last: How the latest landing from upstream ended: what it published, or None.
    """

    def __init__(self, base: Path, *, sound: bytes) -> None:
        self.target = base / "data/world"
        self.sound = sound
        self.last: Manifest | None = None
        self._old = land(self.target, LAST_GOOD)
        self._file: RemoteFile | None = None
        self._client: Client | None = None

    def fetch(self, client: Client, file: RemoteFile) -> Landed:
        """Land one object as `got` and publish."""
        self._file, self._client = file, client
        landed: list[Landed] = []

        def bring(stage: Stage) -> None:
            landed.append(client.download(with_canaries(file), stage.root / "got"))
            stage.record(FileRow("got", landed[0].bytes, landed[0].sha256, landed[0].level))

        self._land(bring)
        return landed[0]

    def fetch_many(
        self, client: Client, files: Sequence[RemoteFile], *, connections: int = 8
    ) -> dict[str, Landed | Missing]:
        """Land many objects by their keys and publish those that came."""
        came: dict[str, Landed | Missing] = {}

        def bring(stage: Stage) -> None:
            wanted = [(with_canaries(file), stage.root / file.key) for file in files]
            for file, item in client.download_many(wanted, connections=connections):
                came[file.key] = item
                if isinstance(item, Landed):
                    stage.record(FileRow(file.key, item.bytes, item.sha256, item.level))

        self._land(bring)
        return came

    def _land(self, bring: Callable[[Stage], None]) -> None:
        self.last = None
        try:
            with (
                writes_only_below(self.target.parent),
                staging(self.target, asset="world", source="upstream") as stage,
            ):
                bring(stage)
                self.last = stage.publish(selection={}, inputs={}, gate=passing, keep=True)
        except LandingError as error:
            told = f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"
            assert not any(canary in told for canary in CANARIES), told
            raise
        finally:
            self.holds_what_must_hold(settled=False)

    def holds(self, data: bytes) -> bool:
        """These bytes are published as `got`, and nothing unfinished is left of them."""
        return self.last is not None and (self.target / "got").read_bytes() == data and self.kept() == []

    def kept(self) -> list[str]:
        """Files of interrupted runs that wait for the next one."""
        trees = StateDir.of(self.target).sessions.glob("*/tree")
        return sorted(path for tree in trees for path, _ in disk.walk(tree))

    def published(self) -> Mapping[str, bytes]:
        """What the directory holds."""
        return {path: Path(entry.path).read_bytes() for path, entry in disk.walk(self.target) if path[0] != "."}

    def holds_what_must_hold(self, *, settled: bool) -> None:
        """The invariants: a whole version, the last good one or what was landed, and none of the canaries."""
        now = assert_invariants(
            self.target,
            versions={self.last.data_version if self.last else self._old.data_version},
            named=["kept.jpg"],
            secrets=CANARIES,
            settled=settled,
        )
        if self.last:
            self._old = self.last
        assert now is not None

    def check(self, liar: LyingServer | None = None) -> None:
        """What must hold when the test is over; then the fault is over too, and a plain rerun lands what is missing.

        Args:
            liar: The server, which is honest from now on.
        """
        self.holds_what_must_hold(settled=self.last is not None)
        file, client = self._file, self._client
        self._file = None
        if liar is None or file is None or client is None:
            return
        published, asked = self.last is not None, len(liar.requests)
        if not published:
            liar.publish(urlsplit(address_of(file, client._credentials).url).path[1:], self.sound)
        with (
            Client(limits=client.limits, credentials=client._credentials) as again,
            staging(self.target, asset="world", source="upstream") as stage,
        ):
            if not published or stage.carry("got") is None:
                landed = again.download(with_canaries(file), stage.root / "got")
                stage.record(FileRow("got", landed.bytes, landed.sha256, landed.level))
            self.last = stage.publish(selection={}, inputs={}, gate=passing, keep=True)
        if published:
            assert len(liar.requests) == asked, "what was verified has been fetched again"
        else:
            assert self.holds(self.sound)
        self.holds_what_must_hold(settled=True)


def with_canaries(file: RemoteFile) -> RemoteFile:
    """The same object by an address that holds a user, a password and a token."""
    parts = urlsplit(file.url)
    if parts.scheme not in ("http", "https"):
        return file
    host = parts.netloc.rpartition("@")[2]
    query = f"{parts.query}&token=canary-token".lstrip("&")
    return replace(
        file, url=urlunsplit((parts.scheme, f"canary-user:canary-password@{host}", parts.path, query, parts.fragment))
    )


def land_from(url: str, target: Path) -> None:
    """Land a directory of one file, `a.bin`; to be run in a process of its own."""
    limits = Limits(loopback_allowed=frozenset({urlsplit(url).netloc}))
    with (
        Client(limits=limits) as client,
        staging(target, asset="world", source="upstream", wait_s=600) as stage,
    ):
        if stage.carry("a.bin") is None:
            landed = client.download(RemoteFile("a.bin", url), stage.root / "a.bin")
            stage.record(FileRow("a.bin", landed.bytes, landed.sha256, landed.level))
        stage.publish(selection={}, inputs={}, gate=passing, keep=True)
