"""The raw datasets, one asset each: what lands from an upstream, as training and evaluation scripts expect it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from maxsight_assets.defs.automation.inputs import reported
from maxsight_assets.defs.failures import RETRIES, as_failures
from maxsight_assets.defs.progress import progress_log
from maxsight_assets.defs.resources import Storage, Upstreams
from maxsight_assets.profiles.model import Profile


class CocoConfig(dg.Config):
    """What a person may change for one run; what is left out keeps its stored value."""

    splits: dict[str, int | None] | None = Field(
        default=None,
        description='Largest number of images by split, null for all, e.g. {"train2017": 14000, "val2017": null}.',
    )
    classes: list[str] | None = Field(default=None, description='Only images with a box of these, e.g. ["person"].')
    licences: list[int] | None = Field(default=None, description="Only images under these licence ids (1 to 8).")
    seed: int | None = Field(default=None, description="Decides which images a count takes; a larger count only adds.")


class OpenImagesConfig(dg.Config):
    """What a person may change for one run; what is left out keeps its stored value."""

    splits: dict[str, int | None] | None = Field(
        default=None, description='Largest number of images by split, null for all, e.g. {"train": 2000}.'
    )
    classes: list[str] | None = Field(
        default=None, description='Class names or MIDs with all their subclasses, e.g. ["Door handle", "/m/01lynh"].'
    )
    seed: int | None = Field(default=None, description="Decides which images a count takes; a larger count only adds.")


class ValidationConfig(dg.Config):
    """What a person may change for one run; what is left out keeps its stored value."""

    max_images: int | None = Field(default=None, description="Largest number of images; left out keeps the stored one.")
    seed: int | None = Field(default=None, description="Decides which images a count takes; a larger count only adds.")


def raw_assets(profile: Profile) -> list[dg.AssetsDefinition]:
    """The raw assets that the profile switches on."""

    @dg.asset(deps=["coco_upstream"], kinds={"jpeg", "json"}, pool="coco_raw", **_COMMON)
    def coco_raw(
        context: dg.AssetExecutionContext, config: CocoConfig, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        """COCO 2017 in `coco_raw/{train2017,val2017,annotations}`, as its archives unpack.

        118,287 and 5,000 photographs of everyday scenes with 896,782 boxes of 80 classes; all of it takes 20 GB. A
        selection is made from the annotations and only its images are fetched, by ranges of the archives. Annotations
        are CC BY 4.0; each photograph has one of eight licences.
        """
        return _land(context, "coco", config.model_dump(), profile=profile, storage=storage, upstreams=upstreams)

    @dg.asset(deps=["openimages_upstream"], kinds={"jpeg", "csv"}, pool="openimages_subset", **_COMMON)
    def openimages_subset(
        context: dg.AssetExecutionContext, config: OpenImagesConfig, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        """The part of Open Images V6 that MaxSight needs, in `open_images_v6/<split>/<two hex>/<id>.jpg`.

        Chosen by class: doors, stairs, wheelchairs and what else COCO lacks. `<split>-annotations-bbox.csv` holds all
        boxes of the landed images; the publisher's own tables are in `metadata/`. Photographs are listed as CC BY 2.0.
        """
        return _land(context, "openimages", config.model_dump(), profile=profile, storage=storage, upstreams=upstreams)

    @dg.asset(deps=["bdd100k_upstream"], kinds={"jpeg", "json"}, pool="bdd100k_raw", **_COMMON)
    def bdd100k_raw(
        context: dg.AssetExecutionContext, config: ValidationConfig, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        """BDD100K validation in `bdd100k/images/100k/val` and `bdd100k/labels`, for evaluation only.

        10,000 dash-camera frames of 1280x720 pixels, 10 classes; about 0.6 GB. Research and non-profit use.
        """
        return _land(context, "bdd100k", config.model_dump(), profile=profile, storage=storage, upstreams=upstreams)

    @dg.asset(deps=["ade20k_upstream"], kinds={"jpeg"}, pool="ade20k_raw", **_COMMON)
    def ade20k_raw(
        context: dg.AssetExecutionContext, config: ValidationConfig, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        """ADE20K validation in `ade20k/{images,annotations,annotations_instance}/validation`, for evaluation only.

        2,000 indoor and outdoor scenes; boxes are made from the masks of 100 instance classes. Non-commercial research.
        """
        return _land(context, "ade20k", config.model_dump(), profile=profile, storage=storage, upstreams=upstreams)

    switched_on = {
        "coco_raw": True,
        "openimages_subset": profile.openimages is not None,
        "bdd100k_raw": profile.bdd100k is not None,
        "ade20k_raw": profile.ade20k is not None,
    }
    return [
        asset for asset in (coco_raw, openimages_subset, bdd100k_raw, ade20k_raw) if switched_on[asset.key.path[-1]]
    ]


_COMMON: Mapping[str, Any] = {"group_name": "raw", "retry_policy": RETRIES, "code_version": "1"}


def _land(
    context: dg.AssetExecutionContext,
    dataset: str,
    stated: Mapping[str, object],
    *,
    profile: Profile,
    storage: Storage,
    upstreams: Upstreams,
) -> dg.MaterializeResult[None]:
    """Bring one raw directory up to date and say what it holds."""
    from maxsight_assets.defs import metadata
    from maxsight_assets.sources.raw import SOURCES, refresh

    source = SOURCES[dataset]
    upstream_key = dg.AssetKey(source.upstream_asset)
    tags: dict[str, str] = {}
    with as_failures(), upstreams.open(dataset, progress=progress_log(context.log)) as upstream:
        version = refresh(
            source,
            upstream,
            data_dir=storage.root,
            cache=storage.facts,
            default=getattr(profile, dataset),
            stated=stated,
            before_reading=lambda fingerprint: tags.update(reported(context, {upstream_key: fingerprint})),
        )
    said = "a new version" if version.changed else "nothing new"
    context.log.info(f"{source.asset}: {said}; {version.tally.fetched_files} files fetched in {version.seconds:.1f} s")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.manifest.info.data_version),
        metadata=metadata.of_version(version, str(storage.root / source.directory)),
        tags=tags,
    )
