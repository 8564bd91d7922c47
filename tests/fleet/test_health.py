"""The health and the figures of a worker, over HTTP."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import psycopg
import pytest
from support.fleet import SIGTERM, Fleet, until
from support.metrics import figures, get

from batchlock.core.errors import UsageError
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.results import Outcome, Result, Status
from batchlock.fleet.health import health_server
from batchlock.fleet.metrics import Metrics, RunMetrics
from batchlock.fleet.settings import host_and_port
from batchlock.fleet.worker import Worker

MakeFleet = Callable[..., Fleet]


def serving_health(
    listen: str, problem: Callable[[], str]
) -> AbstractAsyncContextManager[int | None]:
    return health_server(listen, Metrics().text, problem, setting="worker.listen")


def listening(fleet: Fleet) -> Fleet:
    settings = replace(fleet.settings, worker=replace(fleet.settings.worker, listen="127.0.0.1:0"))
    return replace(fleet, settings=settings)


def test_a_worker_tells_its_health_and_its_figures(make_fleet: MakeFleet) -> None:
    fleet = listening(make_fleet("--latency", "5ms"))
    run = fleet.start(1, 12)
    assert fleet.store.shared_runs.count_waiting() == 1
    with fleet.worker() as worker:
        until(lambda: fleet.as_it_stands(run).is_closed)
        assert get(worker.health_port, "/healthz") == (200, "ok\n")
        assert get(worker.health_port, "/readyz") == (200, "ok\n")
        until(lambda: "orgs_held 0.0" in get(worker.health_port, "/metrics")[1])
        status, text = get(worker.health_port, "/metrics")
        shown = figures(text)
    assert status == 200
    assert shown['batchlock_rows_total{result="updated"}'] == 12
    assert shown["batchlock_calls_total"] >= 12
    assert shown["batchlock_credits_total"] >= 12
    assert shown["batchlock_commit_seconds_count"] > 0
    assert shown["batchlock_throttled_calls_total"] == 0
    assert shown["batchlock_runs_running"] == 0
    assert (shown["batchlock_database_up"], shown["batchlock_database_outages_total"]) == (1, 0)


def test_calls_that_zoho_refuses_are_counted(make_fleet: MakeFleet) -> None:
    fleet = listening(make_fleet("--latency", "20ms", "--in-flight-cap", "1"))
    run = fleet.start(1, 20)
    with fleet.worker() as worker:
        until(lambda: fleet.as_it_stands(run).is_closed)
        shown = figures(get(worker.health_port, "/metrics")[1])
    orgs = fleet.stand_in.orgs()["orgs"]
    refused = sum(org["throttled"] for org in orgs)
    # Two calls at most are about the org, and not for a row.
    assert refused - 2 <= shown["batchlock_throttled_calls_total"] <= refused
    assert shown["batchlock_throttled_calls_total"] > 0


def test_a_worker_is_not_ready_without_its_database_or_tables(
    make_fleet: MakeFleet, database_url: str
) -> None:
    fleet = make_fleet()
    worker = Worker(fleet.settings, fleet.store)
    assert worker._not_ready() == ""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    assert "older version" in worker._not_ready()
    worker.stop(SIGTERM)
    assert "ends" in worker._not_ready()


@pytest.mark.parametrize("problem", ["", "The worker ends.", UsageError("No database.")])
def test_readiness_says_why_not(problem: str | UsageError) -> None:
    def check() -> str:
        if isinstance(problem, UsageError):
            raise problem
        return problem

    async def ask() -> tuple[int, str]:
        async with serving_health("127.0.0.1:0", check) as port:
            return await asyncio.to_thread(get, port, "/readyz")

    expected = (503, f"{problem}\n") if problem else (200, "ok\n")
    assert asyncio.run(ask()) == expected


def test_an_address_that_is_used_is_refused() -> None:
    async def start_twice() -> None:
        async with (
            serving_health("127.0.0.1:0", str) as port,
            serving_health(f"127.0.0.1:{port}", str),
        ):
            pass

    with pytest.raises(UsageError, match=r"worker\.listen: 127\.0\.0\.1:\d+ cannot be used"):
        asyncio.run(start_twice())


@pytest.mark.parametrize(
    ("text", "parts"),
    [("127.0.0.1:9100", ("127.0.0.1", 9100)), ("[::1]:0", ("::1", 0)), ("host:1", ("host", 1))],
)
def test_an_address_to_listen_on(text: str, parts: tuple[str, int]) -> None:
    assert host_and_port(text) == parts


@pytest.mark.parametrize("text", ["9100", ":9100", "host", "host:", "host:70000", "host:-1"])
def test_no_address_to_listen_on(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT"):
        host_and_port(text)


def test_an_outage_is_counted_once_for_all_that_notice_it() -> None:
    metrics = Metrics()
    for is_up in (True, False, False, True, False):
        metrics.set_database(is_up=is_up)
    shown = figures(asyncio.run(metrics.text()).decode())
    assert (shown["batchlock_database_outages_total"], shown["batchlock_database_up"]) == (2, 0)


def test_a_session_adds_what_it_has_got_since_it_last_said_so() -> None:
    metrics = Metrics()
    run = RunMetrics(metrics)
    snapshot = LimiterSnapshot(in_flight=1, window=5, reason="", seconds=0.0)
    for throttled in (0, 3, 3, 4):
        run.on_progress(snapshot._replace(throttled=throttled))
    run.on_row(Outcome(row=2, status=Status.FAILED))
    shown = figures(asyncio.run(metrics.text()).decode())
    assert shown["batchlock_throttled_calls_total"] == 4
    assert shown[f'batchlock_rows_total{{result="{Result.FAILED.value}"}}'] == 1
