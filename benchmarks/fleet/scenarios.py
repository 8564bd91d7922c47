"""What happens to workers and database in each scenario."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from benchmarks.fleet.cut import way_to
from benchmarks.fleet.database import Server
from benchmarks.fleet.orgs import Orgs
from benchmarks.fleet.stand_in import Call
from benchmarks.fleet.watch import Tenure, Watch
from benchmarks.fleet.workers import WorkerProcess, Workers

# Calls that a killed worker had sent arrive within this time.
_ON_THE_WAY_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Takeover:
    """A worker that did not serve its orgs any more, at a moment in POSIX seconds."""

    worker: WorkerProcess
    moment: float
    orgs: set[int]
    in_doubt: int
    """Rows that it had claimed."""
    woken: float | None = None
    """When it could go on."""

    def next_calls(self, calls: list[Call]) -> list[float]:
        """Return after how many seconds each org got its next call of another worker."""
        first: dict[int, float] = {}
        for call in calls:
            after = call.time - self.moment
            if call.org in self.orgs and after > _ON_THE_WAY_SECONDS:
                first.setdefault(call.org, after)
        return list(first.values())

    def late_calls(
        self,
        calls: list[Call],
        tenures: list[Tenure],
        caller: Callable[[Call], WorkerProcess | None],
    ) -> list[Call]:
        """Return the calls that the woken worker made for orgs that another one held then."""
        if self.woken is None:
            return []
        late = []
        for call in calls:
            if call.time > self.woken and caller(call) is self.worker:
                holders = [
                    one.pid for one in tenures if one.org == call.org and one.since < call.time
                ]
                if holders and holders[-1] not in (None, self.worker.pid):
                    late.append(call)
        return late


@dataclass(slots=True)
class Bench:
    """One scenario: its workers, its orgs and its database."""

    server: Server
    watch: Watch
    orgs: Orgs
    workers: Workers
    count: int
    """How many workers there are."""
    lease: float
    period: float
    """Seconds between two disturbances."""
    give_up: float
    rows: int
    takeovers: list[Takeover] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def start_workers(self) -> None:
        """Start the workers."""
        for _ in range(self.count):
            self.workers.start()

    @property
    def is_without_workers(self) -> bool:
        """Whether all workers have ended, which none does by itself."""
        return all(worker.process.poll() is not None for worker in self.workers.running)

    def wait_for_share(self, share: float) -> None:
        """Wait until a share of the rows has a result."""
        self.watch.until(
            lambda: self.watch.settled() >= share * self.rows or self.is_without_workers,
            self.give_up,
        )

    def wait_for_end(self) -> None:
        """Wait until every run has ended."""
        self.watch.until(
            lambda: not self.watch.open_runs() or self.is_without_workers, self.give_up
        )
        if self.watch.open_runs():
            self.notes.append("runs are left")

    def pause(self, seconds: float) -> None:
        """Wait for some time, or until every run has ended."""
        self.watch.until(lambda: not self.watch.open_runs(), seconds)

    def busiest(self) -> WorkerProcess:
        """Return the worker that holds most orgs, once one holds any."""
        self.watch.until(
            lambda: bool(self.watch.holders()) or self.is_without_workers, self.give_up
        )
        return max(self.workers.running, key=lambda one: len(self.watch.held_by(one.pid)))

    def lose(self, worker: WorkerProcess) -> Takeover:
        """Note what a worker holds that is about to stand still."""
        orgs = self.watch.held_by(worker.pid)
        takeover = Takeover(worker, time.time(), orgs, self.watch.in_doubt(orgs))
        self.takeovers.append(takeover)
        return takeover

    def wake(self, takeover: Takeover, go_on: Callable[[], None]) -> None:
        """Let a worker go on, and note when."""
        self.takeovers.remove(takeover)
        self.takeovers.append(replace(takeover, woken=time.time()))
        go_on()


def plain(bench: Bench) -> None:
    """Disturb nothing."""
    bench.start_workers()
    bench.wait_for_end()


def kill(bench: Bench) -> None:
    """Kill a worker again and again, and start another."""
    bench.start_workers()
    bench.wait_for_share(0.1)
    settled = bench.watch.settled()
    while settled < 0.9 * bench.rows and bench.watch.open_runs() and not bench.is_without_workers:
        bench.pause(bench.period)
        # On a slow machine none would ever send a row otherwise.
        bench.wait_for_share((settled + 1) / bench.rows + 0.05)
        settled = bench.watch.settled()
        worker = bench.busiest()
        bench.lose(worker)
        bench.workers.kill(worker)
        bench.workers.start()
    bench.wait_for_end()


def stop(bench: Bench) -> None:
    """Stop a worker for longer than its lease, and wake it."""
    bench.start_workers()
    bench.wait_for_share(0.1)
    worker = bench.busiest()
    bench.workers.watch_connections()
    time.sleep(0.5)  # so that their connections are known
    takeover = bench.lose(worker)
    worker.process.send_signal(signal.SIGSTOP)
    time.sleep(1.5 * bench.lease)
    bench.wake(takeover, lambda: worker.process.send_signal(signal.SIGCONT))
    bench.wait_for_end()


def term(bench: Bench) -> None:
    """End each worker in good order, one after the other, and start another for it."""
    bench.start_workers()
    bench.wait_for_share(0.1)
    for worker in list(bench.workers.running):
        bench.lose(worker)
        bench.workers.start()
        code = bench.workers.end(worker)
        bench.notes.append(f"exit code {code}")
        bench.pause(bench.period)
    bench.wait_for_end()


def empty(bench: Bench) -> None:
    """Delete the jobs before the workers start, then all tables of the queue, then one job."""
    tables = bench.watch.query(
        "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
        " WHERE tablename LIKE 'procrastinate%'"
    )[0][0]
    bench.watch.query(f"TRUNCATE {tables} CASCADE")
    bench.start_workers()
    bench.wait_for_share(0.3)
    bench.watch.query(f"TRUNCATE {tables} CASCADE")
    bench.wait_for_share(0.6)
    bench.watch.query(
        "DELETE FROM procrastinate_jobs WHERE id IN (SELECT min(id) FROM procrastinate_jobs)"
    )
    bench.wait_for_end()


def restart(mode: str, away: float) -> Callable[[Bench], None]:
    """Return a scenario in which the database is stopped, and away for some seconds."""

    def scenario(bench: Bench) -> None:
        bench.start_workers()
        bench.wait_for_share(0.3)
        bench.server.stop(mode)
        time.sleep(away)
        bench.server.start()
        bench.wait_for_end()

    return scenario


def cut(*, silent: bool) -> Callable[[Bench], None]:
    """Return a scenario in which one worker does not reach the database any more."""

    def scenario(bench: Bench) -> None:
        with way_to(bench.server.socket) as way:
            url = bench.orgs.environment["BATCHLOCK_DATABASE"]
            start, _, _ = url.partition("?")
            there = start.replace(":@/", f"@127.0.0.1:{way.port}/")
            worker = bench.workers.start(BATCHLOCK_DATABASE=there)
            for _ in range(bench.count - 1):
                bench.workers.start()
            bench.wait_for_share(0.2)
            bench.workers.watch_connections()
            time.sleep(0.5)  # so that their connections are known
            takeover = bench.lose(worker)
            (way.swallow if silent else way.cut)()
            time.sleep(2 * bench.lease)
            bench.wake(takeover, way.mend)
            bench.wait_for_end()

    return scenario


def full(bench: Bench) -> None:
    """Fill the disk of the database, which must be a small one; then make room, and resume."""
    bench.start_workers()
    bench.wait_for_share(0.2)
    with bench.server.full_disk():
        bench.pause(2 * bench.lease)
        states = bench.watch.query(
            "SELECT state, stop_sentence, count(*) FROM runs GROUP BY 1, 2 ORDER BY 3 DESC"
        )
        bench.notes.extend(f"{count} {state}: {why}" for state, why, count in states)
    bench.wait_for_end()
    bench.orgs.resume_all()
    bench.wait_for_end()


SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "plain": plain,
    "kill": kill,
    "stop": stop,
    "term": term,
    "restart-fast": restart("fast", 4.0),
    "restart-immediate": restart("immediate", 4.0),
    "away-25": restart("immediate", 25.0),
    "away-80": restart("fast", 80.0),
    "cut": cut(silent=False),
    "silent": cut(silent=True),
    "empty": empty,
    "full": full,
}
# Its disk has to be made first.
NOT_BY_DEFAULT = ("full",)
