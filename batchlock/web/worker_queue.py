"""The queue of an org whose runs the workers of a server send."""

import asyncio
import logging

from batchlock.core.errors import BatchlockError
from batchlock.core.runs import Run, RunState, state_after
from batchlock.core.stop import StopReason
from batchlock.fleet.queue import notify_workers, wake
from batchlock.web.queue import RunQueue
from batchlock.web.translation import gettext as _

_log = logging.getLogger(__name__)


class WorkerQueue(RunQueue):
    """The runs of one org that people requested on the page; any worker sends them."""

    def _wake(self) -> None:
        # Not awaited: the run waits in the queue already, where a worker also finds it without
        # being woken, a little later.
        asyncio.get_running_loop().run_in_executor(None, self._wake_worker)

    def _wake_worker(self) -> None:
        try:
            wake(self._store, self._org)
        except BatchlockError as error:
            _log.warning("%s", error)

    def _end(self, run: Run, reason: StopReason) -> None:
        if run.state is RunState.PAUSED:
            self._end_without_process(run, reason)
            return
        if run.state not in (RunState.QUEUED, RunState.RUNNING):
            raise BatchlockError(_("This run has ended already."))
        # A worker may begin a run that waits at this moment, so the worker is asked in any case.
        self._store.runs.request_stop(run.run_id, reason)
        notify_workers(self._store, run.run_id)
        if run.state is RunState.QUEUED:
            remaining = self._store.figures(run).remaining
            state = state_after(reason, remaining=remaining)
            self._store.runs.end_waiting(run.run_id, reason, state)
