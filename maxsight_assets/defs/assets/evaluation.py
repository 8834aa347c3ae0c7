"""The asset of the evaluation sets, made from every landed validation split."""

from typing import TYPE_CHECKING, TypeAlias

import dagster as dg

from maxsight_assets.defs.automation.records import made_from
from maxsight_assets.defs.failures import as_failures
from maxsight_assets.defs.forms import stated, stated_of
from maxsight_assets.defs.resources import Storage
from maxsight_assets.edition import edition
from maxsight_assets.profiles.model import EvaluationSelection, Profile

if TYPE_CHECKING:
    # The form is made at run time, so a type checker knows it as a plain configuration.
    EvaluationConfig: TypeAlias = dg.Config
else:
    EvaluationConfig = stated_of(EvaluationSelection)


def evaluation_asset(profile: Profile) -> dg.AssetsDefinition:
    """Return the asset `inference_eval_set` over the raw assets that the profile switches on."""
    raw_names = [source.asset for source in profile.evaluated]

    @dg.asset(
        group_name="evaluation", kinds={"json"}, deps=raw_names, pool="inference_eval_set", code_version=edition()
    )
    def inference_eval_set(
        context: dg.AssetExecutionContext, config: EvaluationConfig, storage: Storage
    ) -> dg.MaterializeResult[None]:
        """COCO-format files for mAP runs, one a validation split, in `inference_eval/<set>/annotations.json`.

        Every label is one of the detector's; crowds are ignored by pycocotools, and `ledger.parquet` says what was left
        out. `contract.json` states what an mAP run relies on. `file_name` is relative to DATA_DIR.
        """
        from maxsight_assets.defs import metadata
        from maxsight_assets.pipeline.derived import make_evaluation
        from maxsight_assets.pipeline.inspection import EVALUATION

        places = storage.places
        with as_failures():
            made = make_evaluation(profile, places, stated=stated(config), gate=EVALUATION.gate(places))
        context.log.info(f"inference_eval_set: {'a new version' if made.changed else 'nothing new'}")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(made.manifest.info.data_version),
            tags=made_from(made.manifest.info.inputs),
            metadata={
                **metadata.of_story(places.evaluation, changed=made.changed),
                **metadata.of_evaluation(made, str(places.evaluation)),
            },
        )

    return inference_eval_set
