"""The job queue of the workers (procrastinate): it says which org has something to do.

Nothing depends on it but the speed: the runs in the store say what is to be done, and a worker
defers a job again for each org that waits (`Worker.reconcile`). So a job has an org and nothing
else, a job too many is harmless, and all of its tables may be emptied.

A job has no lock of the queue. The lease of the org is the only thing that keeps two workers
apart, since a worker that was only slow could end the job of its successor.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from batchlock.core.errors import DatabaseUnavailable
from batchlock.store.postgres import connect_arguments
from batchlock.store.store import Store

if TYPE_CHECKING:
    import procrastinate
    from procrastinate.jobs import JobDeferrer

_log = logging.getLogger(__name__)

_QUEUE = "orgs"
_TASK = "send"
# A worker is woken by a notification; this is how soon it looks when that was lost.
_POLL_SECONDS = 2.0
# How long the queue of a worker waits before it connects again, after the database was away.
_RETRY_SECONDS = 1.0
# Jobs are cut after this time when the queue connects again. That cuts no run.
_CUT_SECONDS = 1.0
# The jobs that a killed worker has left; procrastinate finds out by itself that it is gone.
_LEFT_JOBS = (
    "DELETE FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL"
    f" AND queue_name = '{_QUEUE}'"
)
_WAITING_JOBS = (
    "SELECT queueing_lock AS org FROM procrastinate_jobs WHERE status = 'todo'"
    f" AND queue_name = '{_QUEUE}'"
)


def wake(store: Store, *orgs: str) -> None:
    """Let workers look at the runs of some orgs that wait. Raises DatabaseUnavailable."""
    import procrastinate

    url = store.database_url
    if url is None:
        raise AssertionError("only a shared store has workers")
    connector = procrastinate.SyncPsycopgConnector(min_size=1, max_size=1, **_pool_arguments(url))
    app = procrastinate.App(connector=connector)
    try:
        with app.open():
            for org in orgs:
                with suppress(procrastinate.exceptions.AlreadyEnqueued):
                    _job(app, org).defer(org=org)
    except procrastinate.exceptions.ConnectorException as error:
        raise DatabaseUnavailable(
            f"The workers cannot be woken: {error}. The runs wait, and a worker looks at them "
            "within a few seconds once the database can be used."
        ) from error


def notify_workers(store: Store, text: str) -> None:
    """Let the workers read at once what persons have requested. Raises DatabaseUnavailable."""
    store.shared_runs.notify(text)


def _pool_arguments(url: str) -> dict[str, Any]:
    conninfo = connect_arguments(url)
    return {"conninfo": conninfo.pop("conninfo"), "kwargs": conninfo, "timeout": 10.0}


def _job(app: "procrastinate.App", org: str) -> "JobDeferrer":
    # One job of an org at a time waits. Several may be at work; the lease lets one of them send.
    return app.configure_task(_TASK, queue=_QUEUE, queueing_lock=org)


class JobQueue:
    """The jobs of one worker."""

    def __init__(
        self, url: str, serve: Callable[[str], Awaitable[None]], *, orgs_at_once: int
    ) -> None:
        """Call `serve` with the org of each job, at most `orgs_at_once` at a time.

        `serve` may be cancelled, which must not end what it has begun.
        """
        self._url = url
        self._serve = serve
        self._orgs_at_once = orgs_at_once
        self._app: procrastinate.App | None = None
        self._worker: procrastinate.worker.Worker | None = None
        self._is_stopping = False

    async def run(self) -> None:
        """Take jobs until `stop`; go on when the database was away."""
        # Its tracebacks of a database that is away would fill the log; `run` logs a line.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        while not self._is_stopping:
            try:
                await self._take_jobs()
            except Exception as error:
                _log.warning("The job queue cannot be used: %s", error)
            if not self._is_stopping:
                await asyncio.sleep(_RETRY_SECONDS)

    def stop(self) -> None:
        """Take no more jobs; `run` ends soon then."""
        self._is_stopping = True
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]

    async def defer(self, orgs: Iterable[str]) -> bool:
        """Add a job for each org that has none; return False when the queue cannot be used."""
        import procrastinate

        if self._app is None:
            return False
        connector = self._app.connector
        try:
            await connector.execute_query_async(_LEFT_JOBS)
            waiting = await connector.execute_query_all_async(_WAITING_JOBS)
            for org in set(orgs) - {job["org"] for job in waiting}:
                with suppress(procrastinate.exceptions.AlreadyEnqueued):
                    await _job(self._app, org).defer_async(org=org)
        except procrastinate.exceptions.ConnectorException as error:
            _log.warning("The job queue cannot be used: %s", error)
            return False
        return True

    async def _take_jobs(self) -> None:
        import procrastinate
        from procrastinate.worker import Worker

        connector = procrastinate.PsycopgConnector(
            min_size=1, max_size=4, **_pool_arguments(self._url)
        )
        app = procrastinate.App(connector=connector)

        @app.task(name=_TASK)
        async def send(org: str) -> None:
            await self._serve(org)

        async with app.open_async():
            self._app = app
            self._worker = Worker(
                app,
                queues=[_QUEUE],
                concurrency=self._orgs_at_once,
                fetch_job_polling_interval=_POLL_SECONDS,
                delete_jobs="always",
                install_signal_handlers=False,
                shutdown_graceful_timeout=_CUT_SECONDS,
            )
            try:
                if not self._is_stopping:
                    await self._worker.run()  # type: ignore[no-untyped-call]
            finally:
                self._app = self._worker = None
