"""The figures of a worker in the form that Prometheus reads.

The counters are fed where the events are: an outcome adds one to a counter, a commit adds its
costs. Nothing is labelled with the name of an org, since hundreds of orgs would make thousands of
time series; the page of all orgs shows each of them.
"""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from batchlock import __version__
from batchlock.core.observer import LimiterSnapshot, RunObserver
from batchlock.core.results import Outcome, Result
from batchlock.core.runs import Totals

# A commit takes 2 to 20 ms, and waits while the disk of the database is busy.
_COMMIT_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The figures of one worker, with a registry of their own."""

    def __init__(self) -> None:
        """Begin at zero."""
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("batchlock", "The version of batchlock.", registry=registry).info(
            {"version": __version__}
        )
        rows = Counter(
            "batchlock_rows",
            "Rows that came to their end, by result.",
            ["result"],
            registry=registry,
        )
        self._rows = {result: rows.labels(result=result.value) for result in Result}
        self._calls = Counter("batchlock_calls", "Calls to Zoho.", registry=registry)
        self._throttled = Counter(
            "batchlock_throttled_calls",
            "Calls for rows that Zoho refused because there were too many (429).",
            registry=registry,
        )
        self._credits = Counter("batchlock_credits", "Credits used.", registry=registry)
        self.runs_waiting = Gauge(
            "batchlock_runs_waiting",
            "Runs of all orgs in the database that wait; every worker says the same.",
            registry=registry,
        )
        self._runs_running = Gauge(
            "batchlock_runs_running", "Runs that this worker sends.", registry=registry
        )
        self._orgs_held = Gauge(
            "batchlock_orgs_held", "Orgs whose lease this worker holds.", registry=registry
        )
        self.leases_lost = Counter(
            "batchlock_leases_lost",
            "Leases that ended before they were given back, so that a run was left as it was.",
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "batchlock_commit_seconds",
            "How long the shared commits took.",
            buckets=_COMMIT_BUCKETS,
            registry=registry,
        )
        self._outages = Counter(
            "batchlock_database_outages",
            "How often the database could not be used any more.",
            registry=registry,
        )
        self._database_up = Gauge(
            "batchlock_database_up", "1 while the database can be used.", registry=registry
        )
        self._database_up.set(1)
        self._is_up = True

    def follow(self, *, runs_running: Callable[[], int], orgs_held: Callable[[], int]) -> None:
        """Ask these functions whenever the figures are read."""
        self._runs_running.set_function(runs_running)
        self._orgs_held.set_function(orgs_held)

    def count_row(self, result: Result) -> None:
        """Count a row that came to its end."""
        self._rows[result].inc()

    def add_costs(self, costs: Totals) -> None:
        """Add what the calls since the last commit of a run have cost."""
        self._calls.inc(costs.requests)
        self._credits.inc(costs.credits_used)

    def add_throttled(self, calls: int) -> None:
        """Add calls that Zoho has refused because there were too many."""
        self._throttled.inc(calls)

    def set_database(self, *, is_up: bool) -> None:
        """Record whether the database could be used just now."""
        if is_up != self._is_up:
            self._is_up = is_up
            self._database_up.set(is_up)
            if not is_up:
                self._outages.inc()

    async def text(self) -> bytes:
        """Return all figures as Prometheus reads them."""
        return generate_latest(self._registry)


class RunMetrics(RunObserver):
    """Feeds the figures of one session of a run."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._throttled = 0

    def on_row(self, outcome: Outcome) -> None:
        """Count a row."""
        self._metrics.count_row(Result.of(outcome.status))

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        """Count the refused calls since the last state of the limiter."""
        self._metrics.add_throttled(snapshot.throttled - self._throttled)
        self._throttled = snapshot.throttled
