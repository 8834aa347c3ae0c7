"""The run launcher of dagster.yaml: Dagster's own, extended to detect whether the process of a run lives.

With it, Dagster's run monitoring fails a run whose process died, for instance in a power cut, within its poll interval.
Without it, such a run stays STARTED, and its pool slot taken, until `max_runtime_seconds` have passed.
"""

import signal

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, LaunchRunContext, WorkerStatus

from maxsight_assets.defs.running.dead_runs import HOST_TAG, Crew, Life, fail
from maxsight_assets.disk import host


class AttentiveRunLauncher(DefaultRunLauncher):
    """Launches runs as Dagster does by default, and detects a run whose processes are gone."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launch a run, and record the machine."""
        self._instance.add_run_tags(context.dagster_run.run_id, {HOST_TAG: host()})
        super().launch_run(context)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Return True, so that Dagster's run monitoring asks for the health of runs."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Report whether a process of the run lives.

        Dagster fails a run at any answer other than RUNNING or SUCCESS, including UNKNOWN. So a run of another machine,
        or without a known process, counts as running: `max_runtime_seconds` is its limit.
        """
        crew = Crew.of(self._instance, run)
        if crew.life is Life.GONE:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"{crew} is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING, f"{crew}: {crew.life.value}")

    def terminate(self, run_id: str) -> bool:
        """Interrupt the processes of a run, as its code server would; that server may be gone or may not have existed.

        A run whose processes are gone counts as failed, not as cancelled: there was nothing left to cancel.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        crew = Crew.of(self._instance, run)
        if crew.life is Life.GONE:
            return fail(self._instance, run, crew)
        processes = crew.found()
        if not processes:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]  # Dagster's method has no types
        self._instance.report_run_canceling(run)
        for process in processes:
            process.send_signal(signal.SIGINT)
        return True
