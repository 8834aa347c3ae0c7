"""Note what an ended run shows: the steps that failed, the checks whose verdict changed, and both once they are mended.

A run's own events are read, because an event log of SQLite has no cursor over the events of all runs. Whoever comes to
an older run later leaves the notes of a newer one alone, so the order in which runs are examined does not matter.
"""

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG

from maxsight_assets.defs.alerts.causes import Cause, Note, read, write
from maxsight_assets.defs.automation.records import JUDGED, VERDICTS
from maxsight_assets.defs.automation.state import NAMES as STATE
from maxsight_assets.defs.runs import is_interruption, reason_of

_STEPS = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
_PLANS = {dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED}
_VERDICTS = {dg.DagsterEventType.ASSET_CHECK_EVALUATION}
_LANDINGS = {dg.DagsterEventType.ASSET_MATERIALIZATION}

CHECK_FAILED = "DagsterAssetCheckFailedError"
"""Error of a step that only says that a blocking check failed; the check's own cause says more."""


def check_name(key: dg.AssetCheckKey) -> str:
    """Return the name of the cause that a check fails."""
    return f"{key.asset_key.to_user_string()}/{key.name}"


def note_run(instance: dg.DagsterInstance, run: dg.DagsterRun, ended: dg.DagsterEvent) -> None:
    """Note how the steps and checks of a run ended.

    Args:
        instance: Where the run is recorded.
        run: A run that succeeded or failed.
        ended: The event of its end.
    """
    record = instance.get_run_record_by_id(run.run_id)
    at = (record.end_time if record else None) or 0.0
    found = instance.get_records_for_run(run.run_id, of_type=_STEPS | _PLANS | _VERDICTS | _LANDINGS).records
    events = [event for each in found if (event := each.event_log_entry.dagster_event) is not None]
    notes = dict(_of_checks(instance, run, events, at))
    if run.remote_job_origin is None and is_interruption(ended):
        # The user who ended the command knows; how its steps came to their end is no news.
        events = [event for event in events if event.event_type is dg.DagsterEventType.STEP_SUCCESS]
    for name, cause in _of_steps(run, events, ended).items():
        notes[name] = Note(at, passed=cause is None, cause=cause)
    newer = {name for name, note in read(instance, notes).items() if note.at > at}
    write(instance, {name: note for name, note in notes.items() if name not in newer})


def _of_steps(
    run: dg.DagsterRun, events: Iterable[dg.DagsterEvent], ended: dg.DagsterEvent
) -> Mapping[str, Cause | None]:
    """Return the cause of each step that failed; None for each that succeeded."""
    page = f"/runs/{run.run_id}"
    steps: dict[str, Cause | None] = {}
    for event in events:
        name = event.step_key or ""
        if event.event_type is dg.DagsterEventType.STEP_SUCCESS:
            steps[name] = None
        elif event.event_type is dg.DagsterEventType.STEP_FAILURE:
            steps[name] = Cause.of(f"{name} failed: {reason_of(event)}", page)
    if ended.is_job_failure and all(cause is None for cause in steps.values()):
        why = ended.message or "the run ended without a word"
        for name in _unfinished(events):
            again = f"`maxsight-assets materialize {name.removesuffix('_checks')}` goes on from what was verified"
            steps[name] = Cause.of(f"{name} did not end: {why} If no run follows by itself, {again}.", page)
    # Dagster runs it again by itself, and that run will tell; it cannot for a run of the command line.
    retried = run.tags.get(WILL_RETRY_TAG) == "true" and run.remote_job_origin is not None
    only_checks = {event.step_key for event in events if _is_only_of_checks(event)}
    return {name: cause for name, cause in steps.items() if cause is None or not (retried or name in only_checks)}


def _is_only_of_checks(event: dg.DagsterEvent) -> bool:
    if event.event_type is not dg.DagsterEventType.STEP_FAILURE:
        return False
    error = event.step_failure_data.error
    return error is not None and error.cls_name == CHECK_FAILED


def _unfinished(events: Iterable[dg.DagsterEvent]) -> list[str]:
    """Return the steps of a run that were planned and left no trace: by asset, as this project has one step for each.

    Of a run of checks alone, its checks.
    """
    landed, planned, judged, to_judge = set[str](), set[str](), set[str](), set[str]()
    for event in events:
        match event.event_type:
            case dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED if event.asset_key:
                planned.add(event.asset_key.to_user_string())
            case dg.DagsterEventType.ASSET_MATERIALIZATION if event.asset_key:
                landed.add(event.asset_key.to_user_string())
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
                to_judge.add(event.asset_check_planned_data.asset_key.to_user_string())
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                judged.add(event.asset_check_evaluation_data.asset_key.to_user_string())
    return sorted(planned - landed) or sorted(f"{name}_checks" for name in to_judge - judged)


def _of_checks(
    instance: dg.DagsterInstance, run: dg.DagsterRun, events: Iterable[dg.DagsterEvent], at: float
) -> Iterator[tuple[str, Note]]:
    """Return a note of each check that the run evaluated; only a change has a cause."""
    verdicts = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    before = read(instance, [check_name(each.asset_check_key) for each in verdicts])
    for each in verdicts:
        if each.check_name in STATE:  # no run shows these; see `watch`
            continue
        name = check_name(each.asset_check_key)
        if each.passed:
            yield name, Note(at, passed=True)
        elif name in before and not before[name].passed:
            yield name, Note(at, passed=False, cause=before[name].cause)
        else:
            known_good = name in before or _passed_before(instance, each.asset_check_key, run.run_id)
            # The first verdict of all is no change, and a warning may be the way the data is.
            news = known_good or each.severity is dg.AssetCheckSeverity.ERROR
            yield name, Note(at, passed=False, cause=_failing(each) if news else None)


def _passed_before(instance: dg.DagsterInstance, check: dg.AssetCheckKey, run_id: str) -> bool:
    """Return whether the latest verdict of a check that is not of this run passed."""
    history = instance.event_log_storage.get_asset_check_execution_history(check, limit=VERDICTS, status=JUDGED)
    others = [each.evaluation for each in history if each.evaluation and each.run_id != run_id]
    return bool(others) and others[0].passed


def _failing(verdict: dg.AssetCheckEvaluation) -> Cause:
    """Return the cause that a check fails: how many records break its rule, which ones, and what to do."""
    shown = {name: str(value.value) for name, value in verdict.metadata.items()}
    asset = verdict.asset_key.to_user_string()
    text = f"{asset}: {verdict.check_name} fails"
    if "offenders" in shown:
        text += f" for {shown['offenders']} of {shown.get('checked', 'all')}"
    if "first offenders" in shown:
        text += f" ({', '.join(shown['first offenders'].splitlines()[:3])})"
    said = verdict.description or shown.get("remedy")
    return Cause.of(f"{text}. {said}" if said else text, f"/assets/{'/'.join(verdict.asset_key.path)}?view=checks")
