"""The asset of the training splits."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import dagster as dg

from maxsight_assets.defs.automation.records import made_from
from maxsight_assets.defs.failures import as_failures
from maxsight_assets.defs.forms import stated, stated_of
from maxsight_assets.defs.resources import Storage
from maxsight_assets.edition import edition
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile, SplitsSelection

if TYPE_CHECKING:
    from maxsight_assets.defs.metadata import Metadata

    # The form is made at run time, so a type checker knows it as a plain configuration.
    SplitsConfig: TypeAlias = dg.Config
else:
    SplitsConfig = stated_of(SplitsSelection)


def splits_asset(profile: Profile, *, more: "Callable[[Places], Metadata]") -> dg.AssetsDefinition:
    """Return the asset `cleaned_splits` over the raw assets that training draws from.

    Args:
        profile: Says which datasets are on, and holds the default selection.
        more: Makes further entries of the asset's page when the splits are published.
    """
    raw_names = [source.asset for source in profile.trained_on]

    @dg.asset(
        group_name="training",
        kinds={"json"},
        deps=[*raw_names, "inference_eval_set"],
        pool="cleaned_splits",
        code_version=edition(),
    )
    def cleaned_splits(
        context: dg.AssetExecutionContext, config: SplitsConfig, storage: Storage
    ) -> dg.MaterializeResult[None]:
        """COCO-format train, val and test files that the detector reads as they are.

        No image, nor a near-copy of one, is in two of them or in an evaluation set. `ledger.parquet` holds the fate of
        every record that was dropped or repaired, `ATTRIBUTION.csv` the licence of every image, `report.json` the
        counts. `file_name` is relative to DATA_DIR.

        Stock configurations of the detector keep the first ten boxes of an image, and ignore `iscrowd`. Boxes stand
        largest first (`order_boxes`); `maxsight-assets export maxsight` writes a configuration that keeps 100.
        """
        from maxsight_assets.defs import metadata
        from maxsight_assets.pipeline.derived import make_splits
        from maxsight_assets.pipeline.inspection import SPLITS

        places = storage.places
        with as_failures():
            made = make_splits(profile, places, stated=stated(config), gate=SPLITS.gate(places))
        context.log.info(f"cleaned_splits: {'a new version' if made.changed else 'nothing new'}")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(made.manifest.info.data_version),
            tags=made_from(made.manifest.info.inputs),
            metadata={
                **metadata.of_story(places.splits, changed=made.changed),
                **metadata.of_splits(made, places),
                **more(places),
            },
        )

    return cleaned_splits
