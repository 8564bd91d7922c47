"""The figures of the page in the form that Prometheus reads.

As with a worker, nothing is labelled with the name of an org or a person.
"""

import asyncio
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
from batchlock.core.errors import BatchlockError
from batchlock.core.runs import RunState
from batchlock.store.store import Store
from batchlock.web.observer import PageObserver, SignInRefusal

# Most pages take 5 to 50 ms; an upload or a results workbook takes as long as its size needs.
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
# Prometheus waits for ten seconds by default, and all other figures are known without the store.
_TIMEOUT_SECONDS = 3.0
_UNKNOWN = float("nan")


class PageMetrics(PageObserver):
    """The figures of one server of the page, with a registry of their own."""

    def __init__(self, store: Store) -> None:
        """Count from zero; the runs are counted in the store whenever the figures are read."""
        self._store = store
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("batchlock", "The version of batchlock.", registry=registry).info(
            {"version": __version__}
        )
        self._requests = Counter(
            "batchlock_page_requests",
            "Answered requests, by method, template of the path and status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "batchlock_page_request_seconds",
            "How long the answers took, by template of the path.",
            ["route"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        refusals = Counter(
            "batchlock_page_sign_ins_refused",
            "Sign-ins that were refused, by reason.",
            ["reason"],
            registry=registry,
        )
        self._refusals = {reason: refusals.labels(reason=reason.value) for reason in SignInRefusal}
        self._uploads = Gauge(
            "batchlock_page_uploads_reading",
            "Uploads that this server reads, or that wait for that.",
            registry=registry,
        )
        runs = Gauge(
            "batchlock_store_runs",
            "Runs of all orgs in the store, by state; every server says the same.",
            ["state"],
            registry=registry,
        )
        self._runs = {
            RunState.QUEUED: runs.labels(state="waiting"),
            RunState.RUNNING: runs.labels(state="running"),
        }
        self._store_up = Gauge(
            "batchlock_store_up", "1 while the store can be used.", registry=registry
        )

    def follow(self, *, uploads_being_read: Callable[[], int]) -> None:
        """Ask this function whenever the figures are read."""
        self._uploads.set_function(uploads_being_read)

    def on_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request, and how long it took."""
        self._requests.labels(method=method, route=route, status=status).inc()
        self._request_seconds.labels(route=route).observe(seconds)

    def on_sign_in_refused(self, refusal: SignInRefusal) -> None:
        """Count a sign-in that was refused."""
        self._refusals[refusal].inc()

    async def text(self) -> bytes:
        """Return all figures as Prometheus reads them; NaN for runs that cannot be counted."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                counts = await asyncio.to_thread(self._store.overview.count_runs, list(self._runs))
        except (BatchlockError, TimeoutError):
            self._store_up.set(0)
            for gauge in self._runs.values():
                gauge.set(_UNKNOWN)
        else:
            self._store_up.set(1)
            for state, gauge in self._runs.items():
                gauge.set(counts[state])
        return generate_latest(self._registry)
