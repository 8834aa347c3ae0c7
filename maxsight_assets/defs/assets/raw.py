"""The raw datasets, one asset each: what lands from an upstream, as training and evaluation scripts expect it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import dagster as dg

from maxsight_assets.defs.automation.inputs import reported
from maxsight_assets.defs.config import stated, stated_of
from maxsight_assets.defs.failures import as_failures
from maxsight_assets.defs.progress import progress_log
from maxsight_assets.defs.resources import Storage, Upstreams
from maxsight_assets.profiles.model import CocoSelection, OpenImagesSelection, Profile, ValidationSelection

if TYPE_CHECKING:  # forms are made at run time, so a type checker knows them as plain configurations
    CocoConfig: TypeAlias = dg.Config
    OpenImagesConfig: TypeAlias = dg.Config
    ValidationConfig: TypeAlias = dg.Config
else:
    CocoConfig = stated_of(CocoSelection)
    OpenImagesConfig = stated_of(OpenImagesSelection)
    ValidationConfig = stated_of(ValidationSelection)


def raw_assets(profile: Profile) -> list[dg.AssetsDefinition]:
    """The raw assets that the profile switches on."""

    @dg.asset(
        deps=["coco_upstream"],
        kinds={"jpeg", "json"},
        pool="coco_raw",
        group_name="raw",
        code_version="1",
    )
    def coco_raw(
        context: dg.AssetExecutionContext, config: CocoConfig, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        """COCO 2017 in `coco_raw/{train2017,val2017,annotations}`, as its archives unpack.

        118,287 and 5,000 photographs of everyday scenes with 896,782 boxes of 80 classes; all of it takes 20 GB. A
        selection is made from the annotations and only its images are fetched, by ranges of the archives. Annotations
        are CC BY 4.0; each photograph has one of eight licences.
        """
        return _land(context, "coco", stated(config), profile=profile, storage=storage, upstreams=upstreams)

    @dg.asset(
        deps=["openimages_upstream"],
        kinds={"jpeg", "csv"},
        pool="openimages_subset",
        group_name="raw",
        code_version="1",
    )
    def openimages_subset(
        context: dg.AssetExecutionContext, config: OpenImagesConfig, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        """The part of Open Images V6 that MaxSight needs, in `open_images_v6/<split>/<two hex>/<id>.jpg`.

        Chosen by class: doors, stairs, wheelchairs and what else COCO lacks. `<split>-annotations-bbox.csv` holds all
        boxes of the landed images; the publisher's own tables are in `metadata/`. Photographs are listed as CC BY 2.0;
        `ATTRIBUTION.csv` names who made each. Images come over https, from S3 or from FiftyOne.
        """
        result = _land(context, "openimages", stated(config), profile=profile, storage=storage, upstreams=upstreams)
        return result._replace(metadata={**(result.metadata or {}), **_coverage(storage)})

    @dg.asset(
        deps=["bdd100k_upstream"],
        kinds={"jpeg", "json"},
        pool="bdd100k_raw",
        group_name="raw",
        code_version="1",
    )
    def bdd100k_raw(
        context: dg.AssetExecutionContext, config: ValidationConfig, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        """BDD100K validation in `bdd100k/images/100k/val` and `bdd100k/labels`, for evaluation only.

        10,000 dash-camera frames of 1280x720 pixels, 10 classes; about 0.6 GB. Research and non-profit use.
        """
        return _land(context, "bdd100k", stated(config), profile=profile, storage=storage, upstreams=upstreams)

    @dg.asset(
        deps=["ade20k_upstream"],
        kinds={"jpeg"},
        pool="ade20k_raw",
        group_name="raw",
        code_version="1",
    )
    def ade20k_raw(
        context: dg.AssetExecutionContext, config: ValidationConfig, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        """ADE20K validation in `ade20k/{images,annotations,annotations_instance}/validation`, for evaluation only.

        2,000 indoor and outdoor scenes; boxes are made from the masks of 100 instance classes. Non-commercial research.
        """
        return _land(context, "ade20k", stated(config), profile=profile, storage=storage, upstreams=upstreams)

    switched_on = {
        "coco_raw": True,
        "openimages_subset": profile.openimages is not None,
        "bdd100k_raw": profile.bdd100k is not None,
        "ade20k_raw": profile.ade20k is not None,
    }
    return [
        asset for asset in (coco_raw, openimages_subset, bdd100k_raw, ade20k_raw) if switched_on[asset.key.path[-1]]
    ]


def _coverage(storage: Storage) -> dict[str, dg.MetadataValue]:
    """What the landed Open Images add to the detector's words, and how each class that was asked for fared."""
    from maxsight_assets.datasets.openimages.source import DIRECTORY, class_coverage, label_coverage
    from maxsight_assets.defs.metadata import table
    from maxsight_assets.publishing.stage import read_published

    root = storage.places.data_dir / DIRECTORY
    manifest = read_published(root)
    if manifest is None:
        return {}
    return {
        "coverage of the label space": table(("classes", "names", "not in COCO"), label_coverage(root, manifest)),
        "coverage by class": table(*class_coverage(root)),
    }


def _land(
    context: dg.AssetExecutionContext,
    dataset: str,
    changes: Mapping[str, object],
    *,
    profile: Profile,
    storage: Storage,
    upstreams: Upstreams,
) -> dg.MaterializeResult[None]:
    """Bring one raw directory up to date and say what it holds."""
    from maxsight_assets.datasets.registry import SOURCES
    from maxsight_assets.defs import metadata
    from maxsight_assets.pipeline.inspection import RAW
    from maxsight_assets.pipeline.overview import overview
    from maxsight_assets.pipeline.raw import refresh

    source = SOURCES[dataset]
    upstream_key = dg.AssetKey(source.upstream_asset)
    tags: dict[str, str] = {}
    with as_failures(context.retry_number), upstreams.open(dataset, progress=progress_log(context.log)) as upstream:
        version = refresh(
            source,
            upstream,
            data_dir=storage.places.data_dir,
            cache=storage.places.facts,
            default=getattr(profile, dataset),
            stated=changes,
            gate=RAW[dataset].gate(storage.places),
            before_reading=lambda fingerprint: tags.update(reported(context, {upstream_key: fingerprint})),
        )
        target = storage.places.data_dir / source.directory
        seen = overview(source, target, version.manifest)
    said = "a new version" if version.changed else "nothing new"
    context.log.info(f"{source.asset}: {said}; {version.tally.fetched_files} files fetched in {version.seconds:.1f} s")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.manifest.info.data_version),
        metadata={**metadata.of_version(version, str(target)), **metadata.of_overview(seen)},
        tags=tags,
    )
