"""The typed form of a catalog file: what one upstream publishes, and where.

A catalog states only facts; the profile decides how much of the upstream a run lands.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maxsight_assets.errors import SettingsError
from maxsight_assets.remote import RemoteFile


class FileFacts(BaseModel):
    """What is known about one upstream file; the publisher does not state a missing field.

    Attributes:
        bytes: Length of the file.
        md5: Hex digest; the fields for other digests have the same form.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int | None = None
    md5: str | None = None
    sha1: str | None = None
    sha256: str | None = None


class SplitCounts(BaseModel):
    """How many records the publisher's split holds.

    Attributes:
        images: Images in the split.
        boxes: Box annotations in the split, crowds included.
        images_without_boxes: Images that no annotation refers to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    boxes: int | None = None
    images_without_boxes: int | None = None


class MirroredFile(FileFacts):
    """One upstream file as a mirror has it; facts are stated only if the mirror's file is another one.

    Attributes:
        path: Its path below the mirror's address.
    """

    path: str


class Mirror(BaseModel):
    """Another place that has files of an upstream.

    Attributes:
        base: Its address.
        files: The files that it has, by the publisher's key. Empty: all of them, under their keys.
        source: Where these facts come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    files: Mapping[str, MirroredFile] = {}
    source: str

    def file(self, key: str, publishers: RemoteFile) -> RemoteFile | None:
        """Return a file at this mirror; None if the mirror does not have it.

        Other bytes than the known ones are a fault of the mirror, and no change that the user could accept.

        Args:
            key: The file's key.
            publishers: What is known of the publisher's file, which holds for the mirror's unless that is another one.
        """
        there = self.files.get(key)
        if self.files and there is None:
            return None
        file = replace(publishers, url=f"{self.base}/{there.path if there else key}", on_change="follow")
        if there is None or not there.model_fields_set - {"path"}:
            return file
        return replace(file, bytes=there.bytes, md5=there.md5, sha1=there.sha1, sha256=there.sha256, index_sha256=None)


class Catalog(BaseModel):
    """One upstream.

    Attributes:
        dataset: Short name; also the name of the YAML file.
        title: Name that pages and messages show.
        asset: Name of the asset that lands the dataset.
        directory: Its directory below DATA_DIR.
        kinds: The tags that the UI shows on the asset, at most three.
        description: Text of the asset's page: what the dataset is, where it comes from, its size and its licence.
        evaluated: The publisher's split that is evaluated; None if the dataset is not used for evaluation.
        trained_on: The publisher's splits that training may draw from.
        exhaustive: Whether the annotators looked for every class in every image, so that an image without boxes is a
            negative one.
        ignored: The publisher's flags of boxes that an evaluation ignores: a detection there is neither right nor
            wrong.
        hierarchy: Path, below `directory`, of the publisher's tree of classes; None if its classes are no tree.
        base: Address to which file keys are appended.
        bases: Other addresses, for single keys.
        images: Address of the single images, if the publisher serves them one by one.
        mirrors: Other places that are tried in this order if the publisher is down or slow, each trusted only as far as
            its hash, index or TLS goes.
        mirror: Environment variable that replaces `base` (and every one of `bases`) and all of `mirrors`.
        images_mirror: Environment variable that replaces `images`.
        on_change: What happens if the bytes differ from the known ones: `stop` waits for the user, `follow` lands them.
        licence: Licence of the whole dataset, as text for the user.
        source: Where these facts come from.
        files: Facts by file key.
        counts: Counts by the publisher's split; empty if the publisher states none.
        is_mirrored: Whether `base` is that of a mirror that the user named; never stated in a file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    title: str
    asset: str
    directory: str
    kinds: frozenset[str] = Field(max_length=3)
    description: str
    evaluated: str | None = None
    trained_on: frozenset[str] = frozenset()
    exhaustive: bool = False
    ignored: tuple[str, ...] = ()
    hierarchy: str | None = None
    base: str
    bases: Mapping[str, str] = {}
    images: str | None = None
    mirrors: tuple[Mirror, ...] = ()
    mirror: str
    images_mirror: str | None = None
    on_change: Literal["stop", "follow"]
    licence: str
    source: str
    files: Mapping[str, FileFacts]
    counts: Mapping[str, SplitCounts] = {}
    is_mirrored: bool = False

    @property
    def mirror_variables(self) -> tuple[str, ...]:
        """Return the environment variables that replace its addresses."""
        return tuple(name for name in (self.mirror, self.images_mirror) if name)

    @property
    def upstream_asset(self) -> str:
        """Return the name of the asset that represents the upstream."""
        return f"{self.dataset}_upstream"

    def file(self, key: str) -> RemoteFile:
        """Return the upstream file with that key, ready to be landed.

        Raises:
            KeyError: The catalog does not have the key.
        """
        facts = self.files[key]
        return RemoteFile(
            key=key,
            url=f"{self.bases.get(key, self.base)}/{key}",
            bytes=facts.bytes,
            sha256=facts.sha256,
            md5=facts.md5,
            sha1=facts.sha1,
            on_change=self.on_change,
            mirror_env=self.mirror,
        )

    def image(self, key: str) -> RemoteFile:
        """Return a single image that the publisher serves at `images`."""
        if self.images is None:
            raise SettingsError(f"{self.dataset}: the catalog names no address of single images")
        return RemoteFile(key=key, url=f"{self.images}/{key}", mirror_env=self.images_mirror)

    def at(self, *, base: str | None = None, images: str | None = None) -> "Catalog":
        """Return the same files at a mirror, which must serve the same bytes."""
        changes: dict[str, object] = {}
        if base is not None:
            changes |= {"base": base.rstrip("/"), "bases": {}, "mirrors": (), "is_mirrored": True}
        if images is not None:
            changes |= {"images": images.rstrip("/")}
        return self.model_copy(update=changes)

    def embedded(self, *, base: str, images: str | None = None) -> "Catalog":
        """Return the catalog of the embedded upstream: the same keys, without pinned digests and without counts."""
        return self.at(base=base, images=images).model_copy(
            update={"on_change": "follow", "files": {key: FileFacts() for key in self.files}, "counts": {}}
        )


@cache
def every() -> tuple[Catalog, ...]:
    """Return the catalog of every dataset that has a folder, by name; the registry states which are in the graph."""
    folders = files("maxsight_assets.datasets").iterdir()
    names = sorted(each.name for each in folders if each.joinpath("catalog.yaml").is_file())
    return tuple(load(name) for name in names)


@cache
def load(dataset: str) -> Catalog:
    """Read the catalog file of one dataset.

    Raises:
        SettingsError: The file does not have the form of a catalog.
    """
    path = files("maxsight_assets.datasets").joinpath(dataset, "catalog.yaml")
    try:
        return Catalog.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise SettingsError(f"datasets/{dataset}/catalog.yaml: {error}") from error
