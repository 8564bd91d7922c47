"""A worker that is killed while it fires: nothing is lost, and nothing is made twice."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.schedules import DAY, MINUTE, NIGHT, Workers, write_rows

from batchlock.core.runs import RunState
from batchlock.engine import Engine
from batchlock.fleet import schedules as fleet_schedules
from batchlock.inboxes import filing
from batchlock.store.journal_tables import JournalTables
from batchlock.store.runs import RunTable
from batchlock.store.schedules import ScheduleTable


class Killed(BaseException):
    """The end of a worker at one place; nothing after it is executed."""


# Every step that leaves something behind, and the moments before the last ones.
PLACES: list[tuple[Any, str, str]] = [
    (ScheduleTable, "claim_due", "after"),
    (Engine, "plan", "after"),
    (JournalTables, "add_plan", "after"),
    (RunTable, "add", "before"),
    (RunTable, "add", "after"),
    (filing, "_move_input", "before"),
    (filing, "_move_input", "after"),
    (ScheduleTable, "finish", "before"),
    (ScheduleTable, "finish", "after"),
    (fleet_schedules, "wake", "before"),
]


def kill_at(owner: Any, name: str, when: str) -> Callable[..., Any]:
    """Return the step itself, which ends the worker before or after it."""
    step = getattr(owner, name)

    def dying(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            raise Killed
        result = step(*arguments, **options)
        if not asyncio.iscoroutine(result):
            raise Killed
        return await_and_die(result)

    return dying


async def await_and_die(step: Coroutine[Any, Any, None]) -> None:
    await step
    raise Killed


@pytest.mark.parametrize(
    ("owner", "name", "when"), PLACES, ids=[f"{when}-{name}" for _, name, when in PLACES]
)
def test_another_worker_goes_on_with_the_due_time(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, when: str
) -> None:
    good = write_rows(workers.folder / "good.csv", "one")
    bad = workers.folder / "bad.csv"
    bad.write_text("no table", "utf-8")
    os.utime(good, (1e9, 1e9))
    os.utime(bad, (1e9 + 1, 1e9 + 1))
    workers.add(f"inbox:{workers.folder}")
    step = getattr(owner, name)
    monkeypatch.setattr(owner, name, kill_at(owner, name, when))
    with pytest.raises(Killed):
        workers.fire()
    monkeypatch.setattr(owner, name, step)
    workers.fire()  # the claim of the killed worker still counts
    workers.now = NIGHT + 2 * MINUTE
    workers.fire(count=2)
    (run,) = workers.runs()
    assert (run.info.file_name, run.state, run.due) == ("good.csv", RunState.QUEUED, NIGHT)
    assert workers.names() == [
        "attention/bad-20260302-213000.csv",
        "attention/bad-20260302-213000.csv.txt",
        "good.csv",
    ]
    stored = workers.schedule
    assert (stored.last_due, stored.next_at) == (NIGHT, NIGHT + DAY)
    assert run.run_id in stored.last_result


def test_a_worker_that_lost_its_claim_makes_nothing(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(workers.folder / "a.csv", "one")
    workers.add(f"inbox:{workers.folder}")
    plan = Engine.plan
    successors = iter([True])

    async def slow_plan(self: Engine, *arguments: Any) -> None:
        await plan(self, *arguments)
        if next(successors, False):  # the claim runs out while the first worker plans
            workers.now += 2 * MINUTE
            successor = workers.worker()
            await successor.fire_due()
            await successor.finish_firings()

    monkeypatch.setattr(Engine, "plan", slow_plan)
    workers.fire()
    assert len(workers.runs()) == 1
    assert workers.schedule.next_at == NIGHT + DAY


def test_a_worker_that_ends_in_good_order_leaves_the_due_time_to_another_at_once(
    workers: Workers,
) -> None:
    write_rows(workers.folder / "a.csv", "one")
    workers.add(f"inbox:{workers.folder}")

    async def end_while_firing() -> None:
        worker = workers.worker()
        await worker.fire_due()
        await worker.close()

    asyncio.run(end_while_firing())
    assert (workers.runs(), workers.schedule.last_due) == ([], None)
    workers.fire()
    assert len(workers.runs()) == 1
