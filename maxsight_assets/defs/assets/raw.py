"""The assets of the raw datasets: what lands from an upstream, as training and evaluation scripts expect it."""

import dagster as dg

from maxsight_assets.datasets.source import Source
from maxsight_assets.defs.automation.inputs import reported
from maxsight_assets.defs.failures import as_failures
from maxsight_assets.defs.forms import stated, stated_of
from maxsight_assets.defs.resources import Storage, Upstreams
from maxsight_assets.profiles.model import Profile
from maxsight_assets.transport.progress import progress_lines


def raw_asset(source: Source, profile: Profile) -> dg.AssetsDefinition:
    """Return the asset that lands one dataset; its page and its Launchpad form follow from the dataset's row."""

    def land(
        context: dg.AssetExecutionContext, config: dg.Config, storage: Storage, upstreams: Upstreams
    ) -> dg.MaterializeResult[None]:
        return _land(context, source, config, profile=profile, storage=storage, upstreams=upstreams)

    land.__annotations__["config"] = stated_of(source.selection)  # a form is made at run time; Dagster reads it here
    return dg.asset(
        name=source.asset,
        deps=[source.upstream_asset],
        kinds=set(source.catalog.kinds),
        pool=source.asset,
        group_name="raw",
        code_version="1",
        description=source.catalog.description,
    )(land)


def _land(
    context: dg.AssetExecutionContext,
    source: Source,
    config: dg.Config,
    *,
    profile: Profile,
    storage: Storage,
    upstreams: Upstreams,
) -> dg.MaterializeResult[None]:
    """Bring one raw directory up to date and report what it holds."""
    from maxsight_assets.defs import metadata
    from maxsight_assets.pipeline.inspection import RAW
    from maxsight_assets.pipeline.overview import overview
    from maxsight_assets.pipeline.raw import refresh

    upstream_key = dg.AssetKey(source.upstream_asset)
    tags: dict[str, str] = {}
    progress = progress_lines(context.log.info)
    with as_failures(context.retry_number), upstreams.open(source.dataset, progress=progress) as upstream:
        version = refresh(
            source,
            upstream,
            data_dir=storage.places.data_dir,
            cache=storage.places.facts,
            default=profile.selections[source.dataset],
            stated=stated(config),
            gate=RAW[source.dataset].gate(storage.places),
            before_reading=lambda seen: tags.update(reported(context, upstream_key, seen)),
        )
        target = storage.places.data_dir / source.directory
        shown = overview(source, target, version.manifest, cache=storage.places.facts)
        details = {} if source.details is None else source.details(target, version.manifest)
    said = "a new version" if version.changed else "nothing new"
    context.log.info(f"{source.asset}: {said}; {version.tally.fetched_files} files fetched in {version.seconds:.1f} s")
    for key, place in sorted(version.tally.served.items()):
        context.log.info(f"{source.asset}: {key} came from {place}")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.manifest.info.data_version),
        metadata={
            **metadata.of_story(target, changed=version.changed),
            **metadata.of_version(version, str(target)),
            **metadata.of_overview(shown),
            **{title: metadata.table(columns, rows) for title, (columns, rows) in details.items()},
        },
        tags=tags,
    )
