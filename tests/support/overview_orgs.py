"""A store with many orgs in every state that the page of all orgs shows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from batchlock.core.org import StoredOrg
from batchlock.core.results import Result
from batchlock.core.runs import Run, RunFigures, RunState
from batchlock.core.stop import StopCode, StopReason
from batchlock.store.database import writing
from batchlock.store.schema import orgs as org_table
from batchlock.store.schema import runs as run_table
from batchlock.store.schema import schedules as schedule_table
from batchlock.store.store import Store
from support.run_info import run_info

_CITIES = ("Lyon", "Graz", "Turin", "Porto", "Ghent", "Malmo", "Krakow", "Leeds", "Bilbao", "Basel")
_BRANCHES = ("clinic", "logistics", "hotels", "energy", "retail", "housing")
_NIGHT = datetime(2026, 3, 14, 23, 30, tzinfo=UTC)
_FAILURES = (
    StopReason(code=StopCode.SIGN_IN, sentence="Zoho refused the sign-in: invalid_code."),
    StopReason(code=StopCode.RULE, sentence="Stopped: 50 rows failed one after the other."),
)


def org_name(number: int) -> str:
    """Return the name of an org, such as `lyon-clinic-007`."""
    city, branch = _CITIES[number % len(_CITIES)], _BRANCHES[number % len(_BRANCHES)]
    return f"{city.lower()}-{branch}-{number:03}"


def add_orgs(store: Store, count: int) -> None:
    """Add orgs, each with the run of last night; some are at work, and some need attention.

    The processes of the runs at work do not report."""
    names = [org_name(number) for number in range(count)]
    store.orgs.put(
        [
            StoredOrg(
                name=name,
                data_center=("eu", "us", "in")[number % 3],
                environment="sandbox" if number % 7 == 3 else "production",
            )
            for number, name in enumerate(names)
        ]
    )
    with writing(store._engine) as connection:
        for number, name in enumerate(names):
            connection.execute(
                org_table.update()
                .where(org_table.c.org == name)
                .values(
                    credits_left=50_000 - 137 * number,
                    credits_at=_NIGHT + timedelta(minutes=number % 50),
                    disabled=number % 41 == 20,
                )
            )
    for number, name in enumerate(names):
        for run in _runs(name, number):
            store.runs.add(run)
    with writing(store._engine) as connection:
        for number, name in enumerate(names):
            schedule = f"nightly-{number:03}"
            if number % 3:
                connection.execute(
                    run_table.update()
                    .where(run_table.c.org == name, sa.not_(run_table.c.finished_at.is_(None)))
                    .values(schedule=schedule, due=_NIGHT)
                )
                connection.execute(
                    schedule_table.insert().values(
                        id=schedule,
                        org=name,
                        cron="30 22 * * 1-5",
                        time_zone="Europe/Vienna",
                        source=f"/srv/in/{name}/*.xlsx",
                        options={},
                        next_at=_NIGHT + timedelta(days=1),
                        paused_by="Anna" if number % 29 == 4 else None,
                        added_by="Anna",
                        added_at=_NIGHT,
                    )
                )


def _runs(org: str, number: int) -> Iterator[Run]:
    ended = _run(org, number, 1)
    not_done = 12 if number % 17 == 5 else 0
    rows = 400 + 3 * number
    counts = {Result.UPDATED: rows - not_done, Result.REJECTED: not_done}
    state, reason = RunState.FINISHED, None
    if number % 23 in (7, 15):
        state, reason = RunState.STOPPED, _FAILURES[number % 2]
        counts = {Result.UPDATED: 100, Result.NOT_SENT: rows - 100}
    settled = counts[Result.UPDATED]
    yield replace(
        ended,
        state=state,
        reason=reason,
        finished_at=_NIGHT + timedelta(seconds=40 * number),
        figures=RunFigures(counts=counts, settled=settled),
    )
    now = datetime.now(UTC)
    if number % 11 == 1:
        done = 37 * number % rows
        counts = {Result.UPDATED: done, Result.NOT_SENT: rows - done}
        yield replace(
            _run(org, number, 2),
            state=RunState.RUNNING,
            heartbeat_at=_NIGHT,
            requested_by="Anna",
            queued_at=now,
            figures=RunFigures(counts=counts, settled=done),
        )
    if number % 13 in (1, 6):
        for turn in range(1 + number % 3):
            yield replace(
                _run(org, number, 3 + turn), state=RunState.QUEUED, queued_at=now,
                figures=RunFigures(counts={Result.NOT_SENT: rows}),
            )  # fmt: skip


def _run(org: str, number: int, turn: int) -> Run:
    info = run_info(run_id=f"20260314-{turn:02}{number:04}-1f3a", org=org, sha256=f"{org}{turn}")
    return Run(info=info, parent=info.run_id, file_name="locks.xlsx")
