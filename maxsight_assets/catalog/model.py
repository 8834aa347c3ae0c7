"""The typed form of a catalog file: what one upstream publishes, and where.

A catalog states facts only; how much of them a run takes is the profile's matter.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maxsight_assets.errors import SettingsError
from maxsight_assets.remote import RemoteFile


class FileFacts(BaseModel):
    """What is known of one upstream file; a missing field is not published.

    Attributes:
        bytes: Length of the file.
        md5: Hex digest, and so on for the other two.
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


class Catalog(BaseModel):
    """One upstream.

    Attributes:
        dataset: Short name; also the name of the YAML file.
        title: Name for people.
        asset: Name of the asset that lands it.
        directory: Its directory below DATA_DIR.
        kinds: What the UI marks the asset with, three at most.
        description: The asset's page: what it is, from where, how big, under which licence.
        evaluated: The publisher's split that is evaluated; none: it is no evaluation set.
        trained_on: The publisher's splits that training may draw from.
        exhaustive: Whether its annotators looked for every class in every image, so that an image without boxes is a
            negative one.
        base: Address that file keys are appended to.
        bases: Other addresses, for single keys.
        images: Address of the single images, where the publisher serves them one by one.
        mirror: Environment variable that replaces `base` (and every one of `bases`).
        images_mirror: Environment variable that replaces `images`.
        on_change: What other bytes than the known ones mean: `stop` waits for a person, `follow` lands them.
        licence: Licence of the whole, for people.
        source: Where these facts come from.
        files: Facts by file key.
        counts: Counts by the publisher's split; empty where nothing is stated.
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
    base: str
    bases: Mapping[str, str] = {}
    images: str | None = None
    mirror: str
    images_mirror: str | None = None
    on_change: Literal["stop", "follow"]
    licence: str
    source: str
    files: Mapping[str, FileFacts]
    counts: Mapping[str, SplitCounts] = {}

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The environment variables that replace its addresses."""
        return tuple(name for name in (self.mirror, self.images_mirror) if name)

    @property
    def upstream_asset(self) -> str:
        """Name of the asset that stands for the upstream."""
        return f"{self.dataset}_upstream"

    def file(self, key: str) -> RemoteFile:
        """The upstream file with that key, ready to be landed.

        Raises:
            KeyError: No such key in the catalog.
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
        """A single image that the publisher serves at `images`."""
        if self.images is None:
            raise SettingsError(f"{self.dataset}: the catalog names no address of single images")
        return RemoteFile(key=key, url=f"{self.images}/{key}", mirror_env=self.images_mirror)

    def at(self, *, base: str | None = None, images: str | None = None) -> "Catalog":
        """The same files at a mirror, which must serve the same bytes."""
        changes: dict[str, object] = {}
        if base is not None:
            changes |= {"base": base.rstrip("/"), "bases": {}}
        if images is not None:
            changes |= {"images": images.rstrip("/")}
        return self.model_copy(update=changes)

    def embedded(self, *, base: str, images: str | None = None) -> "Catalog":
        """The embedded upstream's edition: the same keys, but nothing pinned and nothing counted."""
        return self.at(base=base, images=images).model_copy(
            update={"on_change": "follow", "files": {key: FileFacts() for key in self.files}, "counts": {}}
        )


@cache
def every() -> tuple[Catalog, ...]:
    """The catalog of every dataset that has a folder, by name; which of them are in the graph the registry says."""
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
