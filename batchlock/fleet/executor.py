"""Execute one run on a worker: as on one machine, but under a lease and through shared commits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import LeaseLost
from batchlock.core.results import Outcome, RunResult
from batchlock.core.runs import Run, RunFigures, RunInfo, state_after
from batchlock.core.stop import StopCode, StopReason
from batchlock.execute import Executor
from batchlock.store.journal import Journal
from batchlock.store.leases import Lease
from batchlock.store.recorder import RunRecorder
from batchlock.store.runs import RunTable
from batchlock.store.shared_runs import Beat


class SharedRecorder(RunRecorder):
    """Keeps the figures of one run for the heartbeats, which a worker writes for all its runs."""

    def __init__(
        self,
        runs: RunTable,
        run_id: str,
        figures: RunFigures,
        lease: Lease,
        recorders: "dict[str, SharedRecorder]",
    ) -> None:
        """Be one of the `recorders` of the worker, by run id, while the run is sent."""
        super().__init__(runs, run_id, figures)
        self.lease = lease
        self._recorders = recorders
        self._has_progress = False
        self.cancel_token = CancelToken()

    def on_row(self, outcome: Outcome) -> None:
        """Count a row."""
        super().on_row(outcome)
        self._has_progress = True

    @property
    def beat(self) -> Beat:
        """The heartbeat of this moment."""
        return Beat(
            run_id=self.run_id,
            lease=self.lease,
            message=self.message,
            snapshot=self.snapshot,
            figures=self.figures,
            has_progress=self._has_progress,
        )

    @asynccontextmanager
    async def beating(self, cancel_token: CancelToken) -> AsyncIterator[None]:
        """Let the worker write heartbeats during the block, and cancel the token on a request."""
        self.cancel_token = cancel_token
        self._recorders[self.run_id] = self
        try:
            yield
        finally:
            del self._recorders[self.run_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedExecutor(Executor):
    """Executes runs of one worker, each under its lease."""

    lease: Lease
    recorders: dict[str, SharedRecorder]
    writes_results: bool
    """Whether the worker writes the results to a file: nobody waits for the run elsewhere."""

    def new_recorder(self, run: Run, figures: RunFigures) -> RunRecorder:
        """Return a recorder whose heartbeats the worker writes."""
        return SharedRecorder(self.store.runs, run.run_id, figures, self.lease, self.recorders)

    def start_session(self, run: Run) -> bool:
        """Record it under the lease. Raises LeaseLost when another worker has the org."""
        return self.store.runs.start_session(run, self.lease)

    def finish(self, journal: Journal, info: RunInfo, reason: StopReason) -> RunResult:
        """Write the results if they belong on this machine; else only count them."""
        if self.writes_results and (reason.code is not StopCode.SIGNAL or not journal.remaining()):
            return self.reporter.finish(journal, info, reason)
        with journal.snapshot():  # one transaction instead of one for each figure
            return RunResult(summary=self.reporter.summary(journal, info, reason), output=None)

    def log_result(self, run: Run, result: RunResult) -> None:
        """Log how a session ended, on standard error too."""
        self._log_result(run, result)

    def record_end(self, run: Run, reason: StopReason, exit_code: int, results: str | None) -> None:
        """Record how a session ended. Raises LeaseLost when another worker has the run.

        A run whose worker ends in good order waits again at its place.
        """
        figures = self.store.figures(run)
        shared = self.store.shared_runs
        if reason.code is StopCode.SIGNAL and figures.remaining:
            is_recorded = shared.requeue(run.run_id, self.lease, figures)
        else:
            is_recorded = shared.end_session(
                run.run_id,
                self.lease,
                reason,
                exit_code=exit_code,
                results=results,
                figures=figures,
            )
            if is_recorded:
                state = state_after(reason, remaining=figures.remaining)
                self.log_end(run, state, figures)
        if not is_recorded:
            raise LeaseLost(f"The lease of {self.lease.org} was lost.")
