"""Small files that are run, killed, resumed, retried, reported and corrected in any order.

After each step every row has one true line, and no row was updated twice, apart from calls that
were lost or in flight.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from support.commands import POSIX, TIMEOUT_SECONDS
from support.forked_command import forked
from support.sheets import lines, lock, record, sheet
from support.zoho import StandIn

from batchlock import config
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.results import RunResult
from batchlock.core.runs import Run
from batchlock.core.stop import Cancelled, StopCode, StopReason
from batchlock.engine import Engine
from batchlock.simulator import Behaviour, Fault, Simulator, serving

IN_FLIGHT = 4
REFUSED = "990000000000000103"
STOPPED = StopReason(code=StopCode.STOPPED, sentence="Stopped by the test.", exit_code=6)
SETTLED = {"updated", "unchanged"}
PERFECT = Behaviour()
FAULTS = (
    Behaviour(faults={Fault.SERVER_ERROR: 0.3, Fault.DROPPED_BEFORE: 0.2}),
    Behaviour(faults={Fault.DROPPED_AFTER: 0.3, Fault.CUT_CONNECTION: 0.2}),
    Behaviour(faults={Fault.SERVER_ERROR: 1.0}),
    Behaviour(throttle_at=frozenset(range(1, 2_000, 7))),
)
KINDS = ("good", "good", "good", "blank lock", "bad id", "duplicate", "refused", "blank row")


class Org:
    """A simulator in its own thread; its behaviour can change while it runs."""

    def __init__(self) -> None:
        self._started: Queue[Simulator] = Queue()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self.simulator = self._started.get(timeout=TIMEOUT_SECONDS)

    async def _serve(self) -> None:
        async with serving() as simulator:
            self._started.put(simulator)
            await self._closing.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(TIMEOUT_SECONDS)
        self._loop.close()

    @property
    def updates(self) -> int:
        return self.simulator.ledger.updates

    @property
    def lost(self) -> int:
        """Calls that may have made a change although no answer says so."""
        answers = self.simulator.ledger.answers
        return answers["dropped"] + answers["cut"]


class Runs(RuleBasedStateMachine):
    """One file at an org, and every command that can be used on it.

    No rule has a precondition. The moment of a kill differs from one execution to the next, and
    Hypothesis reports a rule that is enabled in one of them only as an error.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before = Path.cwd()
        self.folder = Path(tempfile.mkdtemp())
        os.chdir(self.folder)
        self.org = Org()
        self.file = Path("in.csv")
        self.content: list[tuple[str, str, str, str]] = []
        self.newest: str | None = None
        """The id of the newest run."""
        self.rows_of: dict[str, int] = {}
        self.kills = 0

    def teardown(self) -> None:
        self.org.close()
        os.chdir(self.before)
        shutil.rmtree(self.folder)

    @initialize(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=30))
    def a_file(self, kinds: list[str]) -> None:
        StandIn(self.org.simulator.url).config(
            limits={"in_flight": IN_FLIGHT},
            retry={"attempts": 2, "first_wait": 0.001, "longest_wait": 0.01, "give_up_after": 5},
            stop={"consecutive_failures": 8, "same_refusal": 1000},
            results={"format": "csv"},
            state_directory="state",
        )
        for number, kind in enumerate(kinds, 1):
            row = ("Leads", record(number), lock(number), f"reason {number}")
            match kind:
                case "blank lock":
                    row = (*row[:2], "", row[3])
                case "bad id":
                    row = (row[0], "12", *row[2:])
                case "duplicate" if self.content:
                    row = self.content[0]
                case "refused":
                    row = ("Leads", REFUSED, lock(0), "why")
                case "blank row":
                    row = ("", "", "", "")
            self.content.append(row)
        sheet(self.file.name, self.content)

    @rule(behaviour=st.sampled_from((PERFECT, *FAULTS)))
    def change_behaviour(self, behaviour: Behaviour) -> None:
        self.org.simulator.behaviour = replace(behaviour, latency=0.002, jitter=0.002)

    @rule(after=st.none() | st.integers(0, 12), hard=st.booleans())
    def run(self, after: int | None, hard: bool) -> None:
        self.go(lambda engine: engine.run(self.file), after, hard=hard)

    @rule(after=st.none() | st.integers(0, 8), hard=st.booleans())
    def resume(self, after: int | None, hard: bool) -> None:
        self.go(lambda engine: engine.resume(None), after, hard=hard)

    @rule(
        after=st.none() | st.integers(0, 8),
        hard=st.booleans(),
        refused=st.booleans(),
        oldest=st.booleans(),
    )
    def retry(self, after: int | None, hard: bool, refused: bool, oldest: bool) -> None:
        if (run_id := self.newest) is None:
            return
        # The oldest run may have retries already.
        if oldest and self.file.name == "in.csv":
            run_id = self.runs()[-1].run_id
        self.go(lambda engine: engine.retry(run_id, refused=refused), after, hard=hard)

    @rule()
    def use_results_as_input(self) -> None:
        """Run the results file next; the results of a retry contain some of the rows only."""
        if self.newest is None or self.is_unfinished():
            return
        output = self.report(self.newest).output
        assert output is not None
        self.file = output.rename(f"results-of-{self.newest}.csv")
        self.newest = None

    @invariant()
    def every_row_has_one_true_line(self) -> None:
        if self.newest is None:
            return
        report = self.report(self.newest)
        summary = report.summary
        assert self.listed(self.newest).figures.counts == summary.counts
        assert report.output is not None
        result_lines = lines(report.output)
        results = [line["Result"] for line in result_lines]
        assert {kind.value: results.count(kind.value) for kind in summary.counts} == {
            kind.value: count for kind, count in summary.counts.items()
        }
        numbers = [int(line["Source row"]) for line in result_lines]
        assert numbers == sorted(set(numbers))
        assert (
            len(result_lines) == summary.rows == self.rows_of.setdefault(self.newest, summary.rows)
        )
        if self.file.name == "in.csv" and self.listed(self.newest).info.kind == "run":
            assert numbers == [row for row, cells in enumerate(self.content, 2) if any(cells)]
        locks: dict[str, Any] = dict(self.org.simulator.locks.state())
        for line in result_lines:
            lock = locks.get(f"Leads/{line['Record Id'].lstrip(chr(39))}")
            if line["Result"] in SETTLED:
                assert lock is not None
                assert lock["reason"] == line["Reason"]
            elif line["Result"] in ("invalid", "rejected"):
                assert lock is None

    @invariant()
    def no_row_is_sent_twice_except_for_lost_calls(self) -> None:
        locks: dict[str, Any] = dict(self.org.simulator.locks.state())
        repeated = sum(max(0, lock["updates"] - 1) for lock in locks.values())
        assert repeated <= self.org.lost + self.kills * IN_FLIGHT

    @contextlib.contextmanager
    def engine(self, cancel_token: CancelToken | None = None) -> Iterator[Engine]:
        org_settings = config.load(environment={})
        engine = Engine(org_settings, RunOptions(), cancel_token or CancelToken(), RunObserver())
        with contextlib.closing(engine):
            yield engine

    def runs(self) -> list[Run]:
        with self.engine() as engine:
            return engine.runs()

    def report(self, run_id: str) -> RunResult:
        with self.engine() as engine:
            return engine.report(run_id)

    def listed(self, run_id: str) -> Run:
        return next(run for run in self.runs() if run.run_id == run_id)

    def is_unfinished(self) -> bool:
        (newest, *_) = self.runs()
        return not newest.is_closed

    def go(
        self,
        work: Callable[[Engine], Coroutine[Any, Any, RunResult | None]],
        after: int | None,
        *,
        hard: bool,
    ) -> None:
        """Do `work`; stop it after some more calls, `hard` without a chance to write anything."""
        cancel_token = CancelToken()
        api_calls = self.org.simulator.ledger.api_calls

        async def main(engine: Engine) -> None:
            task = asyncio.ensure_future(work(engine))
            while after is not None and not task.done():
                await asyncio.sleep(0.001)
                if self.org.simulator.ledger.api_calls >= api_calls + after:
                    if hard:
                        self.kills += 1
                        task.cancel()
                    else:
                        cancel_token.cancel(STOPPED)
                    break
            with contextlib.suppress(asyncio.CancelledError, Cancelled):
                await task

        with self.engine(cancel_token) as engine:
            asyncio.run(main(engine))
        self.find_newest()

    def find_newest(self) -> None:
        ids = [run.run_id for run in self.runs()]
        self.newest = ids[0] if ids else None


class KilledRuns(Runs):
    """The same with real processes that are killed."""

    @rule(after=st.integers(0, 12))
    def kill(self, after: int) -> None:
        goal = self.org.simulator.ledger.api_calls + after
        with forked("run", self.file) as process:
            while process.poll() is None and self.org.simulator.ledger.api_calls < goal:
                time.sleep(0.002)
            process.kill()
        self.kills += 1
        self.find_newest()


def test_every_row_has_one_true_line_after_any_sequence_of_commands() -> None:
    run_state_machine_as_test(
        Runs,
        settings=settings(
            max_examples=int(os.environ.get("STATEFUL_EXAMPLES", "8")),
            stateful_step_count=8,
            deadline=None,
            derandomize="STATEFUL_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@POSIX
def test_every_row_has_one_true_line_after_killed_processes() -> None:
    run_state_machine_as_test(
        KilledRuns,
        settings=settings(
            max_examples=int(os.environ.get("STATEFUL_EXAMPLES", "8")) // 2,
            stateful_step_count=5,
            deadline=None,
            derandomize="STATEFUL_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
