"""Small files run, killed, resumed, retried, reported and given back in any order.

After each step every row has one true line, and the stand-in has seen no row more often than
calls were lost or under way.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
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
from support.commands import PATIENCE, POSIX, command
from support.sheets import lines, lock, record, sheet
from support.zoho import StandIn

from batchlock import config
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import Stopped
from batchlock.core.observer import LimiterSnapshot, RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.results import Outcome, RunListing, RunResult
from batchlock.run import Runner
from batchlock.simulator import Behaviour, Fault, Simulator, serving

IN_FLIGHT = 4
REFUSED = "990000000000000103"
SETTLED = {"updated", "unchanged"}
PERFECT = Behaviour()
TROUBLES = (
    Behaviour(faults={Fault.SERVER_ERROR: 0.3, Fault.DROPPED_BEFORE: 0.2}),
    Behaviour(faults={Fault.DROPPED_AFTER: 0.3, Fault.CUT_CONNECTION: 0.2}),
    Behaviour(faults={Fault.SERVER_ERROR: 1.0}),
    Behaviour(throttle_at=frozenset(range(1, 2_000, 7))),
)
KINDS = ("good", "good", "good", "blank lock", "bad id", "again", "refused", "blank")


class Quiet(RunObserver):
    """Listens to a run and says nothing."""

    def on_message(self, sentence: str) -> None:
        pass

    def on_sending(self, *, rows: int, remaining: int) -> None:
        pass

    def on_row(self, outcome: Outcome) -> None:
        pass

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        pass


class Org:
    """A stand-in in a thread of its own, whose behaviour changes while it runs."""

    def __init__(self) -> None:
        self._up: Queue[Simulator] = Queue()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self.simulator = self._up.get(timeout=PATIENCE)

    async def _serve(self) -> None:
        async with serving() as simulator:
            self._up.put(simulator)
            await self._over.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE)
        self._loop.close()

    @property
    def updates(self) -> int:
        return self.simulator.ledger.updates

    @property
    def lost(self) -> int:
        """Calls that may have made a change without telling."""
        answers = self.simulator.ledger.answers
        return answers["dropped"] + answers["cut"]


class Runs(RuleBasedStateMachine):
    """One file at an org, and all that can be done about it.

    No rule has a precondition: when a run is killed is never the same twice, and Hypothesis takes
    a rule that is open now and was not before for a mistake.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before = Path.cwd()
        self.folder = Path(tempfile.mkdtemp())
        os.chdir(self.folder)
        self.org = Org()
        self.file = Path("in.csv")
        self.asked: list[tuple[str, str, str, str]] = []
        self.last: str | None = None
        """The run that is newest."""
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
                case "again" if self.asked:
                    row = self.asked[0]
                case "refused":
                    row = ("Leads", REFUSED, lock(0), "why")
                case "blank":
                    row = ("", "", "", "")
            self.asked.append(row)
        sheet(self.file.name, self.asked)

    # -- what can be done ----------------------------------------------------------------

    @rule(trouble=st.sampled_from((PERFECT, *TROUBLES)))
    def weather(self, trouble: Behaviour) -> None:
        self.org.simulator.behaviour = replace(trouble, latency=0.002, jitter=0.002)

    @rule(after=st.none() | st.integers(0, 12), hard=st.booleans())
    def run(self, after: int | None, hard: bool) -> None:
        if self.last is None or self.is_unfinished():
            self.go(lambda runner: runner.run(self.file), after, hard=hard)

    @rule(after=st.none() | st.integers(0, 8), hard=st.booleans())
    def resume(self, after: int | None, hard: bool) -> None:
        self.go(lambda runner: runner.resume(None), after, hard=hard)

    @rule(
        after=st.none() | st.integers(0, 8),
        hard=st.booleans(),
        refused=st.booleans(),
        oldest=st.booleans(),
    )
    def retry(self, after: int | None, hard: bool, refused: bool, oldest: bool) -> None:
        if (run_id := self.last) is None:
            return
        if oldest and self.file.name == "in.csv":  # of which there may be retries already
            run_id = self.runs()[-1].run_id
        self.go(lambda runner: runner.retry(run_id, refused=refused), after, hard=hard)

    @rule()
    def give_back(self) -> None:
        """Take the results as the next file; those of a retry have a part of the rows."""
        if self.last is None or self.is_unfinished():
            return
        self.file = self.runner().report(self.last).output.rename(f"back-{self.last}.csv")
        self.last = None

    # -- what is always so ---------------------------------------------------------------

    @invariant()
    def every_row_has_one_true_line(self) -> None:
        if self.last is None:
            return
        finished = self.runner().report(self.last)
        summary = finished.summary
        found = lines(finished.output)
        results = [line["Result"] for line in found]
        assert {kind.value: results.count(kind.value) for kind in summary.counts} == {
            kind.value: count for kind, count in summary.counts.items()
        }
        numbers = [int(line["Source row"]) for line in found]
        assert numbers == sorted(set(numbers))
        assert len(found) == summary.rows == self.rows_of.setdefault(self.last, summary.rows)
        if self.file.name == "in.csv" and self.runs_kind(self.last) == "run":
            kept = [(row, asked) for row, asked in enumerate(self.asked, 2) if any(asked)]
            assert numbers == [row for row, _ in kept]
        there: dict[str, Any] = dict(self.org.simulator.locks.state())
        for line in found:
            told = there.get(f"Leads/{line['Record Id'].lstrip(chr(39))}")
            if line["Result"] in SETTLED:
                assert told is not None
                assert told["reason"] == line["Reason"]
            elif line["Result"] in ("invalid", "rejected"):
                assert told is None

    @invariant()
    def nothing_is_sent_twice_beyond_the_calls_under_way(self) -> None:
        there: dict[str, Any] = dict(self.org.simulator.locks.state())
        again = sum(max(0, told["updates"] - 1) for told in there.values())
        assert again <= self.org.lost + self.kills * IN_FLIGHT

    # -- below ---------------------------------------------------------------------------

    def runner(self, cancel_token: CancelToken | None = None) -> Runner:
        found = config.load(environment={})
        return Runner(found, RunOptions(), cancel_token or CancelToken(), Quiet())

    def runs(self) -> list[RunListing]:
        return self.runner().runs()

    def runs_kind(self, run_id: str) -> str:
        return next(one.kind for one in self.runs() if one.run_id == run_id)

    def is_unfinished(self) -> bool:
        (newest, *_) = self.runs()
        return newest.state == "unfinished"

    def go(
        self,
        work: Callable[[Runner], Coroutine[Any, Any, RunResult | None]],
        after: int | None,
        *,
        hard: bool,
    ) -> None:
        """Do it; after so many more calls stop it, `hard` without a chance to write anything."""
        cancel_token = CancelToken()
        runner = self.runner(cancel_token)
        api_calls = self.org.simulator.ledger.api_calls

        async def main() -> None:
            task = asyncio.ensure_future(work(runner))
            while after is not None and not task.done():
                await asyncio.sleep(0.001)
                if self.org.simulator.ledger.api_calls >= api_calls + after:
                    if hard:
                        self.kills += 1
                        task.cancel()
                    else:
                        cancel_token.cancel(Stopped("Stopped by hand."))
                    break
            with contextlib.suppress(asyncio.CancelledError, Stopped):
                await task

        asyncio.run(main())
        self.see()

    def see(self) -> None:
        ids = [one.run_id for one in self.runs()]
        self.last = ids[0] if ids else None


class KilledRuns(Runs):
    """The same with real processes that are really killed."""

    @rule(after=st.integers(0, 12))
    def kill(self, after: int) -> None:
        if self.last is not None and not self.is_unfinished():
            return
        goal = self.org.simulator.ledger.api_calls + after
        with subprocess.Popen(
            command("run", self.file),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while process.poll() is None and self.org.simulator.ledger.api_calls < goal:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
        self.kills += 1
        self.see()


def test_whatever_is_done_in_whatever_order_every_row_has_one_true_line() -> None:
    run_state_machine_as_test(
        Runs,
        settings=settings(
            max_examples=int(os.environ.get("STATEFUL_EXAMPLES", "12")),
            stateful_step_count=8,
            deadline=None,
            derandomize="STATEFUL_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@POSIX
def test_the_same_with_processes_that_are_really_killed() -> None:
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
