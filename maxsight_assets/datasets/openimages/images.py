"""The places that serve single Open Images, behind one interface: the bucket over https or S3, or FiftyOne's zoo.

A backend states the place of each image; `landing` fetches it, so that all backends resume, verify and count alike.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from maxsight_assets.errors import SettingsError, TransientError
from maxsight_assets.remote import RemoteFile

MIRROR = "OPENIMAGES_IMAGES_MIRROR"
ZOO_NAME = "open-images-v6"
"""FiftyOne's name of the dataset, and of its directory in the zoo."""

_PUBLIC_BUCKET = re.compile(r"https://(?P<bucket>[a-z0-9.-]+)\.s3(\.[a-z0-9-]+)?\.amazonaws\.com$")


class Images(Protocol):
    """A place that has the images."""

    def files(self, split: str, ids: Sequence[str]) -> Iterator[RemoteFile]:
        """Yield each image that the place may have; its key is `<split>/<id>.jpg`, wherever it comes from."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The publisher's bucket over https or S3, or a copy of it: `<address>/<split>/<id>.jpg`."""

    address: str

    def files(self, split: str, ids: Sequence[str]) -> Iterator[RemoteFile]:
        """See `Images`."""
        for image_id in ids:
            key = f"{split}/{image_id}.jpg"
            yield RemoteFile(key=key, url=f"{self.address}/{key}", mirror_env=MIRROR)


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory of this machine: a FiftyOne zoo's, `<directory>/<split>/data/<id>.jpg`, or a copy of the bucket.

    Attributes:
        directory: Only FiftyOne itself ever writes there.
        zoo: Whether it has the form of a zoo.
        fills: Whether FiftyOne should download missing images; then the directory is FiftyOne's own zoo.
    """

    directory: Path
    zoo: bool
    fills: bool = False

    def files(self, split: str, ids: Sequence[str]) -> Iterator[RemoteFile]:
        """See `Images`."""
        folder = self.directory / split / ("data" if self.zoo else "")
        if self.fills:
            _fill(folder, split, ids)
        for image_id in ids:
            path = folder / f"{image_id}.jpg"
            if path.is_file():
                yield RemoteFile(key=f"{split}/{image_id}.jpg", url=path.absolute().as_uri())


def images_of(kind: Literal["address", "http", "s3", "fiftyone"], address: str) -> Images:
    """Return the backend that a selection asks for.

    Args:
        kind: What is asked for; `address`: whatever the address is of.
        address: Address of the images: the catalog's, or that of the mirror that the user set.

    Raises:
        SettingsError: The backend is not available; the text is one line that states what to install or to set.
    """
    parts = urlsplit(address)
    local = Path(unquote(parts.path)) if parts.scheme == "file" else None
    if kind == "fiftyone":
        return _zoo(local)
    if kind == "address" and local is not None:
        return Folder(local, zoo=any(local.glob("*/data")))
    public = _PUBLIC_BUCKET.match(address)
    if kind == "s3" and public:
        return Bucket(f"s3://{public['bucket']}")
    if kind != "address" and not address.startswith(kind):
        raise SettingsError(
            f"run config, images_from: {kind} does not go with the address of the images, {parts.scheme}://...; "
            f"set {MIRROR} to {'s3://<bucket>' if kind == 's3' else 'https://<host>'}"
        )
    return Bucket(address)


def _zoo(directory: Path | None) -> Folder:
    if directory is not None:
        return Folder(directory, zoo=True)
    if find_spec("fiftyone") is None:
        raise SettingsError(
            "run config, images_from: fiftyone needs its package (pip install 'maxsight-assets[fiftyone]'), or a zoo "
            f"directory that is there: {MIRROR}=file:///<directory with train/data, validation/data>"
        )
    fiftyone = import_module("fiftyone")  # not in the lock file, and slow to import
    return Folder(Path(fiftyone.config.dataset_zoo_dir) / ZOO_NAME, zoo=True, fills=True)


def _fill(folder: Path, split: str, ids: Sequence[str]) -> None:
    """Have FiftyOne download what its zoo lacks; it needs no database for that.

    FiftyOne also gets the publisher's tables of the split, so that it can load the directory as a zoo. A missing image
    ends its whole download without a message that names it, so bisection finds it.

    Raises:
        TransientError: The download failed for another reason; what arrived stays in the zoo.
    """
    lacking = [image_id for image_id in ids if not (folder / f"{image_id}.jpg").is_file()]
    if not lacking:
        return
    zoo = import_module("fiftyone.zoo")
    try:
        zoo.download_zoo_dataset(ZOO_NAME, split=split, image_ids=lacking, label_types=["detections"])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ("404", "NoSuchKey"):
            raise TransientError(f"{split}: FiftyOne's download failed: {error}; rerun to go on") from None
        middle = len(lacking) // 2
        for half in (lacking[:middle], lacking[middle:]) if middle else ():
            _fill(folder, split, half)
    except (BotoCoreError, OSError) as error:
        raise TransientError(f"{split}: FiftyOne's download failed: {error}; rerun to go on") from None
