"""Rules that synced checkpoints must keep; the gate before publishing and the asset checks use the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from maxsight_assets.checkpoints import soundness
from maxsight_assets.checkpoints.layout import BEST, directory
from maxsight_assets.labels.conditions import CONDITIONS
from maxsight_assets.publishing.manifest import Manifest, problems
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.verdict import Found, Rule, rule


@dataclass(frozen=True)
class CheckpointsView:
    """Directories of conditions, published or staged.

    Attributes:
        synced: Directory and manifest of each condition that is looked at.
    """

    synced: Mapping[str, tuple[Path, Manifest]]

    @classmethod
    def of(cls, checkpoints: Path) -> "CheckpointsView":
        """Return the view of all conditions that are published below a directory."""
        roots = {condition: checkpoints / directory(condition) for condition in CONDITIONS}
        manifests = {condition: recovered_manifest(root) for condition, root in roots.items()}
        return cls({name: (roots[name], manifest) for name, manifest in manifests.items() if manifest is not None})

    @property
    def files(self) -> Mapping[str, Path]:
        """Every file that was synced, by `checkpoints_<condition>/<name>`."""
        return {
            f"{directory(condition)}/{row.path}": root / row.path
            for condition, (root, manifest) in sorted(self.synced.items())
            for row in manifest.selected()
        }

    @cached_property
    def changed(self) -> Mapping[str, str]:
        """What is wrong with files that are not as they were synced, by the same names."""
        return {
            f"{directory(condition)}/{path}": wrong
            for condition, (root, manifest) in sorted(self.synced.items())
            for path, wrong in problems(root, manifest.selected()).items()
        }


@rule("Materialize the condition again: it fetches just these files.", severity="error", blocking=True)
def checkpoints_are_as_synced(view: CheckpointsView) -> Found:
    """Every file has the size and the sha256 that it was synced with."""
    return Found([f"{name}: {wrong}" for name, wrong in view.changed.items()], len(view.files))


@rule(
    "Write it anew at its source, or put a sound copy there; the version before stays until then.",
    severity="error",
    blocking=True,
)
def checkpoints_are_whole(view: CheckpointsView) -> Found:
    """Every checkpoint is a zip archive with a sound directory and CRCs, and every JSON file parses.

    Training that was killed while it wrote leaves truncated ones. Nothing is unpickled.
    """
    judged = {name: path for name, path in view.files.items() if name not in view.changed}
    found = {name: soundness.problem(path) for name, path in judged.items()}
    return Found([f"{name}: {wrong}" for name, wrong in found.items() if wrong], len(view.files))


@rule("Train it, or check CHECKPOINTS_URI; then materialize the condition.", severity="warn")
def every_condition_has_a_best_model(view: CheckpointsView) -> Found:
    """Every condition is synced, with its best model."""
    lacking = [f"{name}: not synced" for name in CONDITIONS if name not in view.synced]
    lacking += [f"{name}: no {BEST}" for name, (_, manifest) in view.synced.items() if BEST not in manifest.rows]
    return Found(lacking, len(CONDITIONS), {"conditions synced": len(view.synced)})


CHECKPOINT_RULES: tuple[Rule[CheckpointsView], ...] = (
    checkpoints_are_as_synced,
    checkpoints_are_whole,
    every_condition_has_a_best_model,
)
"""Rules of `condition_checkpoints`."""
