"""`batchlock worker`: sends the runs of many orgs in one process.

    job of the queue ─▶ lease of the org ─▶ run ─▶ execute ─▶ the next run of the org ─▶ …

One loop each renews the leases, ends runs whose lease has ended, writes the heartbeats of all runs,
listens for persons' requests, fires schedules, and gives the queue a job for each org that waits
and has none. None of them waits for the database in the event loop: while it is away, calls in
flight end, and their outcomes wait.
"""

import asyncio
import logging
import os
import random
import secrets
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import DATABASE_ERRORS, BatchlockError, LeaseLost, UsageError
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopCode, StopReason
from batchlock.execute import UNEXPECTED_ERROR
from batchlock.fleet.fair_share import FairShare
from batchlock.fleet.health import health_server
from batchlock.fleet.lease_guard import LeaseGuard, boot_seconds
from batchlock.fleet.metrics import Metrics
from batchlock.fleet.notifications import listen
from batchlock.fleet.queue import JobQueue
from batchlock.fleet.run_sender import RunSender
from batchlock.fleet.schedules import Scheduler
from batchlock.fleet.writer import SharedWriter
from batchlock.store.shared_journals import SharedJournals
from batchlock.store.store import Store

_log = logging.getLogger(__name__)

# A click on Pause seems immediate; a notification is faster still.
_BEAT_SECONDS = 0.5
# How soon a run ends after its lease has.
_WATCH_SECONDS = 0.2
_WORKER_BEAT_SECONDS = 5.0
# How soon an org is served whose worker was killed, after its lease has ended. The query reads the
# few runs that are not closed.
_RECONCILE_SECONDS = 2.0
_RETRY_SECONDS = 0.5
# How late a schedule fires at most, while there is a worker.
_SCHEDULE_SECONDS = 1.0
# Threads that wait for the database: some for each phase in which a run can be. Each needs two
# connections of the store at most, which has 48.
_THREADS = 20


@dataclass(slots=True)
class _Session:
    """A run that this worker sends."""

    guard: LeaseGuard
    cancel_token: CancelToken = field(default_factory=CancelToken)
    task: "asyncio.Task[object] | None" = None

    def cut(self) -> None:
        """End the session now: another process may send to the org."""
        self.guard.is_lost = True
        if self.task is not None:
            self.task.cancel()


class Worker:
    """Sends the runs of many orgs, until it is stopped."""

    def __init__(self, settings: Settings, store: Store) -> None:
        """Use a store that many machines share."""
        url = store.database_url
        if url is None:
            raise UsageError(
                "A worker needs the database that machines share. Set `database` in the "
                "configuration to an address like postgresql://user@host/name."
            )
        self._url = url
        self._settings = settings
        self._store = store
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self._started_at = datetime.now(UTC)
        self._lease_seconds = settings.worker.lease
        self._share = FairShare(store, settings.worker)
        self._queue = JobQueue(url, self.serve, orgs_at_once=settings.worker.orgs_at_once)
        self._metrics = Metrics()
        self._writer = SharedWriter(SharedJournals(url), self._metrics)
        self._sender = RunSender(settings, store, self._writer)
        self._orgs: dict[str, asyncio.Task[None]] = {}
        self._asked_again: set[str] = set()
        """Orgs for which a job came while their runs were being sent."""
        self._sessions: dict[str, _Session] = {}
        self._beat_now = asyncio.Event()
        self._stop_reason: StopReason | None = None
        self._stopped = asyncio.Event()
        self._lease_threads = ThreadPoolExecutor(2, "leases")
        self._scheduler = Scheduler(settings, store)
        self._problem = ""
        self._metrics.follow(
            runs_running=lambda: len(self._sender.recorders), orgs_held=lambda: len(self._sessions)
        )
        self.health_port: int | None = None  # of `worker.listen`, while the worker runs

    async def run(self) -> None:
        """Send runs until `stop`; then give all of them back in good order.

        Raises UsageError when the database has the tables of another version meanwhile, or when
        the address of the setting `worker.listen` cannot be used.
        """
        address = self._settings.worker.listen
        async with health_server(
            address, self._metrics.text, self._not_ready, setting="worker.listen"
        ) as self.health_port:
            await self._work()

    async def _work(self) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "database"))
        await self._record_worker()
        writing = asyncio.create_task(self._writer.run())
        loops = [
            asyncio.create_task(self._repeat(work, seconds))
            for work, seconds in (
                (self._renew, self._lease_seconds / 3),
                (self._watch, _WATCH_SECONDS),
                (self._beat, _BEAT_SECONDS),
                (self._record_worker, _WORKER_BEAT_SECONDS),
                (self._reconcile, _RECONCILE_SECONDS),
                (self._scheduler.fire_due, _SCHEDULE_SECONDS),
            )
        ]
        loops.append(asyncio.create_task(listen(self._url, self._beat_now.set)))
        queue = asyncio.create_task(self._queue.run())
        await self._stopped.wait()
        self._queue.stop()
        # No new session begins now, and those that have begun end soon.
        while self._orgs:
            await asyncio.wait(self._orgs.values())
        await queue
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self._scheduler.close()
        await asyncio.to_thread(self._sender.close)
        self._writer.close()
        await writing
        self._lease_threads.shutdown(wait=False)
        with suppress(*DATABASE_ERRORS):
            await asyncio.to_thread(self._store.workers.remove, self.name)
        if self._problem:
            raise UsageError(self._problem)

    def _not_ready(self) -> str:
        """Return why this worker takes no runs; else nothing. Raises DatabaseUnavailable."""
        if self._stop_reason is not None:
            return "The worker ends, and takes no more runs."
        return self._store.schema_problem()

    def stop(self, reason: StopReason) -> None:
        """End in good order: no new calls, those in flight finish, and all runs wait again."""
        if self._stop_reason is None:
            self._stop_reason = reason
            _log.info("Ending: %s runs are given back.", len(self._sessions))
            for session in self._sessions.values():
                session.cancel_token.cancel(reason)
            self._stopped.set()

    async def serve(self, org: str) -> None:
        """Send the runs of an org that wait, unless another worker or another job does."""
        if org in self._orgs:
            self._asked_again.add(org)  # a second job must not take a place of the queue
            return
        if not self._share.is_fresh:
            with suppress(*DATABASE_ERRORS):  # the last share is good enough
                await asyncio.to_thread(self._share.count)
        if (task := self._begin(org)) is not None:
            # Not awaited itself, since the queue may cancel its job when it connects again.
            await asyncio.wait([task])

    def _begin(self, org: str) -> "asyncio.Task[None] | None":
        if org in self._orgs or self._stop_reason is not None:
            return None
        if not self._share.may_take(org, held=len(self._orgs)):
            return None
        task = self._orgs[org] = asyncio.create_task(self._send_runs(org))
        return task

    async def _send_runs(self, org: str) -> None:
        try:
            is_asked = True
            while is_asked and self._stop_reason is None:
                self._asked_again.discard(org)
                is_asked = await self._send_next(org) or org in self._asked_again
        except DATABASE_ERRORS as error:
            _log.warning("%s: %s", org, error)
        except Exception:
            _log.exception("The runs of %s cannot be sent.", org)
        finally:
            # Here, without a wait since the last look, so that no job comes in between.
            del self._orgs[org]
            self._asked_again.discard(org)

    async def _send_next(self, org: str) -> bool:
        """Send the next run of an org; return False when there is none that can be sent here."""
        store = self._store
        run = await asyncio.to_thread(store.shared_runs.next_run, org)
        if run is None:
            return False
        asked_at = boot_seconds()
        holder = f"{self.name}/{run.run_id}"
        take = partial(store.leases.take, org, holder, seconds=self._lease_seconds)
        lease = await asyncio.get_running_loop().run_in_executor(self._lease_threads, take)
        if lease is None:
            return False
        session = _Session(LeaseGuard(lease, self._lease_seconds, asked_at))
        self._sessions[org] = session
        try:
            if self._stop_reason is not None:
                return False
            await asyncio.to_thread(store.shared_runs.settle_killed, lease)
            current = await asyncio.to_thread(store.runs.get, run.run_id)
            if current is not None and current.state is RunState.QUEUED:
                await self._send_run(current, session)
        except LeaseLost as error:
            _log.warning("%s Run %s is left as it is.", error, run.run_id)
            self._metrics.leases_lost.inc()
        finally:
            del self._sessions[org]
            if session.guard.can_be_released:
                with suppress(*DATABASE_ERRORS):
                    await asyncio.to_thread(store.leases.release, lease)
        return session.guard.can_be_released

    async def _send_run(self, run: Run, session: _Session) -> None:
        sending = self._sender.send(run, session.guard, session.cancel_token)
        session.task = asyncio.create_task(sending)
        try:
            await session.task
        except asyncio.CancelledError:
            if not session.guard.is_lost:
                raise
            raise LeaseLost(f"The lease of {run.info.org} has ended.") from None
        except (LeaseLost, *DATABASE_ERRORS):
            raise
        except Exception as error:
            reason = UNEXPECTED_ERROR
            if isinstance(error, BatchlockError):
                reason = StopReason.of(error)
            _log.warning(
                "Run %s of %s: %s", run.run_id, run.info.org, error,
                exc_info=None if isinstance(error, BatchlockError) else error,
            )  # fmt: skip
            # One that could not begin would be tried again and again; a person must act.
            await asyncio.to_thread(self._store.runs.end_waiting, run.run_id, reason)
        if run.schedule is not None:
            await self._scheduler.after_end(run)

    async def _repeat(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Do some work again and again; what fails is logged, and done again soon."""
        while True:
            try:
                await work()
            except Exception as error:
                if isinstance(error, DATABASE_ERRORS):
                    self._metrics.set_database(is_up=False)
                if not isinstance(error, BatchlockError):
                    _log.exception("A step of the worker failed; it is tried again.")
                else:
                    _log.warning("%s", error)
                await asyncio.sleep(min(seconds, _RETRY_SECONDS))
            else:
                # So that the workers of a machine that started together do not ask together.
                await asyncio.sleep(seconds * random.uniform(0.8, 1.0))  # noqa: S311

    async def _renew(self) -> None:
        sessions = [one for one in self._sessions.values() if not one.guard.is_lost]
        leases = [one.guard.lease for one in sessions]
        if not leases:
            return
        loop, table = asyncio.get_running_loop(), self._store.leases
        asked_at = boot_seconds()
        renew = partial(table.renew, leases, seconds=self._lease_seconds)
        # Threads of their own, as their connections are: nothing else may keep a renewal waiting.
        renewed = set(await loop.run_in_executor(self._lease_threads, renew))
        missing = [lease for lease in leases if lease not in renewed]
        held_leases = set()
        if missing:
            held_leases = set(await loop.run_in_executor(self._lease_threads, table.held, missing))
        for session in sessions:
            lease = session.guard.lease
            if lease in renewed:
                if not session.guard.is_over:  # a renewal that comes too late does not count
                    session.guard.renewed(asked_at)
            elif lease not in held_leases:
                session.cut()

    async def _watch(self) -> None:
        for session in self._sessions.values():
            if session.guard.is_over and not session.guard.is_lost:
                session.cut()

    async def _beat(self) -> None:
        self._beat_now.clear()
        beats = [recorder.beat for recorder in self._sender.recorders.values()]
        requests = await asyncio.to_thread(self._store.shared_runs.beat, beats)
        leases = {beat.run_id: beat.lease for beat in beats}
        for run_id, reason in requests.items():
            recorder = self._sender.recorders.get(run_id)
            # Not a later session of the same run.
            if recorder is not None and recorder.lease == leases[run_id]:
                recorder.cancel_token.cancel(reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(_BEAT_SECONDS):
                await self._beat_now.wait()

    async def _record_worker(self) -> None:
        problem = await asyncio.to_thread(self._store.schema_problem)
        if problem:
            self._problem = problem
            # As a signal does: the runs wait for a worker of the right version.
            self.stop(
                StopReason(code=StopCode.SIGNAL, sentence=problem, exit_code=UsageError.exit_code)
            )
            return
        await asyncio.to_thread(
            self._store.workers.beat,
            self.name,
            started_at=self._started_at,
            runs=len(self._sessions),
            stopping=self._stop_reason is not None,
        )
        waiting = await asyncio.to_thread(self._store.shared_runs.count_waiting)
        self._metrics.runs_waiting.set(waiting)
        self._metrics.set_database(is_up=True)

    async def _reconcile(self) -> None:
        await asyncio.to_thread(self._store.shared_runs.settle_disabled)
        orgs = await asyncio.to_thread(self._store.shared_runs.waiting_orgs)
        orgs = [org for org in orgs if org not in self._orgs]
        if not await self._queue.defer(orgs):
            for org in orgs:  # the runs are the truth, and not the queue
                self._begin(org)
