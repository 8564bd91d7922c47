import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from support.clocks import LoopClock, jump_through

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, Interrupted, SignInRefused, Stopped, UsageError
from batchlock.core.observer import LimiterSnapshot, RunObserver
from batchlock.core.reply import Lock, Reply, Verdict
from batchlock.core.results import Outcome, Result, ResultRow
from batchlock.core.rows import LockId, RecordId, Update
from batchlock.send.pacing.clock import SystemClock
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.row import LockApi
from batchlock.send.sender import deliver
from batchlock.send.settings import StopSettings
from batchlock.send.stop_rules import deadline
from batchlock.simulator import Behaviour, Fault, Kind, Simulator, lock_id_of, serving
from batchlock.store.journal import Journal, RunInfo, Totals
from batchlock.zoho.client import Client, Endpoint, session
from batchlock.zoho.oauth import OAuthClient
from batchlock.zoho.tokens import Tokens

ABOUT = RunInfo(
    run_id="20260101-000000",
    kind="run",
    org="acme",
    environment="production",
    api_url="https://www.zohoapis.com",
    file="/in.csv",
    sha256="0" * 64,
    identity="1" * 64,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    version="0",
    titles=("Reason",),
)
FIRST_RECORD = 5843104000000400000
RETRY = Retry(attempts=3, first_wait=0.5, give_up_after=60.0)
ONE_ATTEMPT = replace(RETRY, attempts=1)

GOOD = Reply(verdict=Verdict.ACCEPTED, http_status=200, code="SUCCESS", message="relation updated")
REFUSED = Reply(verdict=Verdict.REFUSED, http_status=400, code="INVALID_DATA", remedy="Mend it.")
BUSY = Reply(verdict=Verdict.THROTTLED, http_status=429, message="too many calls")
AWAY = Reply(verdict=Verdict.UNREACHABLE, message="no connection")
BROKEN = Reply(verdict=Verdict.BROKEN, http_status=500, message="a fault")
LOST = Reply(verdict=Verdict.LOST, message="no answer")
EXPIRED = Reply(verdict=Verdict.EXPIRED, http_status=401, message="the token was not taken")
DENIED = Reply(verdict=Verdict.DENIED, http_status=401, message="no scope", remedy="Add it.")
UNSUPPORTED = Reply(verdict=Verdict.UNSUPPORTED, http_status=400, message="wrong edition")


def shows(reason: str | None, lock_id: str = "777") -> Reply:
    lock = Lock(LockId(lock_id), reason)
    return Reply(verdict=Verdict.ACCEPTED, http_status=200, lock=lock)


OURS = shows("mine")
OTHERS = shows("somebody's")
NO_LOCK = Reply(verdict=Verdict.ACCEPTED, http_status=204)


def update_of(row: int, *, lock_id: str | None = "known", reason: str = "mine") -> Update:
    record_id = str(FIRST_RECORD + row)
    if lock_id == "known":
        lock_id = lock_id_of(record_id)
    known = None if lock_id is None else LockId(lock_id)
    return Update(row, "Leads", RecordId(record_id), known, reason)


def updates_of(rows: int, *, lock_id: str | None = "known") -> list[Update]:
    return [update_of(row, lock_id=lock_id) for row in range(2, rows + 2)]


def plan(path: Path, updates: Sequence[Update], *, in_doubt: int = 0) -> Path:
    """Write a journal whose first rows were being sent when the last session was killed."""
    path.unlink(missing_ok=True)
    with Journal.create(path, ABOUT) as journal:
        journal.add([(one.row, (one.reason,)) for one in updates], updates=updates, problems=[])
    with Journal.open(path) as journal:
        journal.commit_batch([], claim=in_doubt)
    return path


@dataclass(slots=True)
class Scripted:
    """Answers as it was told to, row by row, and remembers what it was asked."""

    puts: Mapping[int, Sequence[Reply | Exception]] = field(default_factory=dict)
    """For each row its answers, the last of them for ever; any other row's is good."""
    looks: Mapping[int, Sequence[Reply | Exception]] = field(default_factory=dict)
    seconds: float = 0.1
    on_call: Callable[[Update], object] = lambda _: None
    asked: list[tuple[str, int, str]] = field(default_factory=list)
    numbers: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        return await self._answer("put", update, lock_id, self.puts.get(update.row, [GOOD]))

    async def find_lock(self, update: Update) -> Reply:
        return await self._answer("look", update, "", self.looks.get(update.row, [OTHERS]))

    async def _answer(
        self, what: str, update: Update, lock_id: str, answers: Sequence[Reply | Exception]
    ) -> Reply:
        self.asked.append((what, update.row, lock_id))
        self.on_call(update)
        number = self.numbers[what, update.row]
        self.numbers[what, update.row] += 1
        await asyncio.sleep(self.seconds)
        answer = answers[min(number, len(answers) - 1)]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def rows(self, what: str) -> list[int]:
        return [row for kind, row, _ in self.asked if kind == what]


@dataclass(slots=True)
class Watching(RunObserver):
    outcomes: list[Outcome] = field(default_factory=list)
    beats: list[LimiterSnapshot] = field(default_factory=list)

    def on_row(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        self.beats.append(snapshot)


@dataclass(slots=True, kw_only=True)
class Sent:
    """What a delivery has left behind."""

    error: BaseException | None
    lines: dict[int, ResultRow]
    totals: Totals
    watching: Watching

    @property
    def results(self) -> list[Result]:
        return [line.result for line in self.lines.values()]


def left_behind(path: Path, error: BaseException | None, watching: Watching) -> Sent:
    with Journal.open(path) as journal:
        lines = {line.row: line for line in journal.result_rows()}
        return Sent(error=error, lines=lines, totals=journal.totals, watching=watching)


def send(
    path: Path,
    caller: LockApi,
    *,
    window: int = 1,
    limits: Limits | None = None,
    retry: Retry = RETRY,
    stop: StopSettings | None = None,
    cancel_token: CancelToken | None = None,
    pull_after: float | None = None,
    ends: float | None = None,
) -> Sent:
    """Deliver what the journal at `path` holds, in a time that jumps."""
    cancel_token, watching = cancel_token or CancelToken(), Watching()

    async def main() -> BaseException | None:
        if pull_after is not None:
            why = Interrupted("Interrupted.", signal_number=2)
            asyncio.get_running_loop().call_later(pull_after, cancel_token.cancel, why)
        with Journal.open(path) as journal:
            limiter = CallLimiter(
                limits or Limits(in_flight=window),
                retry,
                credits_used=journal.totals.credits_used,
                deadline_monotonic=ends,
                clock=LoopClock(),
                random=lambda: 1.0,
            )
            try:
                await deliver(
                    journal,
                    caller,
                    limiter,
                    retry=retry,
                    stop=stop or StopSettings(),
                    cancel_token=cancel_token,
                    observer=watching,
                )
            except Exception as error:
                return error
            finally:
                assert limiter.in_flight == 0
        return None

    return left_behind(path, jump_through(main()), watching)


# -- every row, once -------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 3, 25])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 200])
def test_every_row_is_sent_once_and_recorded(tmp_path: Path, rows: int, window: int) -> None:
    caller = Scripted()
    sent = send(plan(tmp_path / "j", updates_of(rows)), caller, window=window)
    assert sent.error is None
    assert sorted(caller.asked) == [("put", one.row, one.lock_id) for one in updates_of(rows)]
    assert sent.results == [Result.UPDATED] * rows
    assert {line.attempts for line in sent.lines.values()} <= {1}
    assert sorted(one.row for one in sent.watching.outcomes) == list(sent.lines)
    assert (sent.totals.requests, sent.totals.credits_used) == (rows, rows)
    assert sent.totals.in_flight_peak == min(rows, window)


def test_rows_go_out_in_the_order_of_the_file(tmp_path: Path) -> None:
    caller = Scripted()
    send(plan(tmp_path / "j", updates_of(40)), caller, window=4)
    assert caller.rows("put") == list(range(2, 42))


def test_what_zoho_said_is_recorded_with_times(tmp_path: Path) -> None:
    caller = Scripted({2: [BUSY, GOOD]}, seconds=0.25)
    line = send(plan(tmp_path / "j", updates_of(1)), caller).lines[2]
    assert (line.http_status, line.code, line.message) == (200, "SUCCESS", "relation updated")
    assert line.attempts == 2
    assert line.duration == pytest.approx(0.25 + 0.5 + 0.25)
    assert line.finished_at is not None
    assert line.finished_at.tzinfo is UTC


def test_rows_that_are_not_pending_are_left_alone(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(3))
    send(path, Scripted({3: [REFUSED]}))
    caller = Scripted()
    sent = send(path, caller)
    assert sent.results == [Result.UPDATED, Result.REJECTED, Result.UPDATED]
    assert caller.asked == []
    assert sent.error is None


# -- every verdict in every phase ------------------------------------------------------------

FAULTS = [BUSY, AWAY, BROKEN, LOST, EXPIRED]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda reply: reply.verdict.value)
@pytest.mark.parametrize("lock_id", ["known", None])
def test_one_fault_costs_one_more_call(tmp_path: Path, fault: Reply, lock_id: str | None) -> None:
    caller = Scripted({2: [fault, GOOD]}, {2: [fault, OTHERS]})
    sent = send(plan(tmp_path / "j", updates_of(2, lock_id=lock_id)), caller)
    assert sent.error is None
    assert sent.results == [Result.UPDATED] * 2
    assert sent.lines[2].attempts == (2 if lock_id else 4)
    assert caller.rows("put").count(2) == 2
    assert caller.rows("look").count(2) == (0 if lock_id else 2)


@pytest.mark.parametrize("lock_id", ["known", None])
def test_a_refusal_is_the_end_of_its_row_alone(tmp_path: Path, lock_id: str | None) -> None:
    caller = Scripted({2: [REFUSED]}, {2: [REFUSED]})
    sent = send(plan(tmp_path / "j", updates_of(2, lock_id=lock_id)), caller)
    assert sent.error is None
    assert sent.results == [Result.REJECTED, Result.UPDATED]
    line = sent.lines[2]
    assert (line.code, line.remedy, line.attempts) == ("INVALID_DATA", "Mend it.", 1)


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (DENIED, SignInRefused, "no scope"),
        (UNSUPPORTED, Stopped, "wrong edition"),
        (EXPIRED, SignInRefused, "the token was not taken"),
        (BUSY, Stopped, "No good answer came for "),
        (AWAY, Stopped, "No good answer came for "),
    ],
    ids=lambda value: value.verdict.value if isinstance(value, Reply) else None,
)
@pytest.mark.parametrize("lock_id", ["known", None])
def test_what_is_true_for_every_row_ends_the_run_and_nothing_counts_as_sent(
    tmp_path: Path, reply: Reply, error: type[BatchlockError], told: str, lock_id: str | None
) -> None:
    always = {row: [reply] for row in range(2, 11)}
    sent = send(plan(tmp_path / "j", updates_of(9, lock_id=lock_id)), Scripted(always, always))
    assert type(sent.error) is error
    assert told in str(sent.error)
    assert sent.results == [Result.NOT_SENT] * 9
    assert sent.watching.outcomes == []


def test_a_token_that_is_never_taken_is_renewed_once(tmp_path: Path) -> None:
    caller = Scripted({2: [EXPIRED]})
    assert isinstance(send(plan(tmp_path / "j", updates_of(1)), caller).error, SignInRefused)
    assert caller.rows("put") == [2, 2]


def test_a_token_may_expire_again_after_it_was_good(tmp_path: Path) -> None:
    caller = Scripted({2: [EXPIRED, BUSY, EXPIRED, BROKEN, EXPIRED, GOOD]})
    sent = send(plan(tmp_path / "j", updates_of(1)), caller)
    assert (sent.error, sent.results) == (None, [Result.UPDATED])


@pytest.mark.parametrize("fault", [BROKEN, LOST], ids=lambda reply: reply.verdict.value)
def test_a_row_that_never_gets_an_answer_fails_after_its_attempts_and_one_look(
    tmp_path: Path, fault: Reply
) -> None:
    caller = Scripted({2: [fault]})
    sent = send(plan(tmp_path / "j", updates_of(2)), caller)
    assert sent.error is None
    assert sent.results == [Result.FAILED, Result.UPDATED]
    assert caller.rows("put").count(2) == 3
    assert caller.rows("look") == [2]
    line = sent.lines[2]
    assert (line.message, line.attempts, line.http_status) == (fault.message, 4, fault.http_status)


@pytest.mark.parametrize("fault", [BROKEN, LOST], ids=lambda reply: reply.verdict.value)
def test_a_look_up_that_never_gets_an_answer_fails_without_a_put(
    tmp_path: Path, fault: Reply
) -> None:
    caller = Scripted(looks={2: [fault]})
    sent = send(plan(tmp_path / "j", updates_of(1, lock_id=None)), caller)
    assert (sent.results, sent.lines[2].attempts) == ([Result.FAILED], 3)
    assert caller.rows("put") == []


@pytest.mark.parametrize(
    ("looks", "result", "attempts"),
    [
        ([OURS], Result.UPDATED, 4),
        ([OTHERS], Result.FAILED, 4),
        ([shows(None)], Result.FAILED, 4),
        ([NO_LOCK], Result.FAILED, 4),
        ([REFUSED], Result.FAILED, 4),
        ([BROKEN, OURS], Result.FAILED, 4),
        ([LOST, OURS], Result.FAILED, 4),
        ([BUSY, AWAY, OURS], Result.UPDATED, 6),
        ([EXPIRED, OURS], Result.UPDATED, 5),
        ([BUSY], Result.UNKNOWN, 0),
        ([DENIED], Result.UNKNOWN, 0),
        ([UNSUPPORTED], Result.UNKNOWN, 0),
        ([EXPIRED], Result.UNKNOWN, 0),
    ],
)
def test_after_lost_answers_zoho_is_asked_what_became_of_the_row(
    tmp_path: Path, looks: list[Reply], result: Result, attempts: int
) -> None:
    caller = Scripted({2: [LOST]}, {2: looks})
    sent = send(plan(tmp_path / "j", updates_of(1)), caller)
    assert sent.results == [result]
    assert sent.lines[2].attempts == attempts
    assert (sent.error is None) == (result is not Result.UNKNOWN)


@pytest.mark.parametrize("doubt", [LOST, BROKEN], ids=lambda reply: reply.verdict.value)
@pytest.mark.parametrize("end", [BUSY, AWAY, EXPIRED, DENIED, UNSUPPORTED])
def test_a_row_that_may_have_arrived_is_not_called_unsent(
    tmp_path: Path, doubt: Reply, end: Reply
) -> None:
    sent = send(plan(tmp_path / "j", updates_of(1)), Scripted({2: [doubt, end]}))
    assert sent.error is not None
    assert sent.results == [Result.UNKNOWN]


# -- look-ups --------------------------------------------------------------------------------


def test_the_put_goes_to_the_lock_that_was_found(tmp_path: Path) -> None:
    caller = Scripted(looks={2: [shows(None, "4711")]})
    sent = send(plan(tmp_path / "j", updates_of(1, lock_id=None)), caller)
    assert caller.asked == [("look", 2, ""), ("put", 2, "4711")]
    assert sent.lines[2].attempts == 2


def test_a_lock_that_has_the_reason_is_left_unchanged(tmp_path: Path) -> None:
    caller = Scripted(looks={2: [OURS]})
    sent = send(plan(tmp_path / "j", updates_of(1, lock_id=None)), caller)
    assert sent.results == [Result.UNCHANGED]
    assert sent.lines[2].message == "The lock already has this reason; nothing was sent."
    assert caller.rows("put") == []


def test_a_record_without_a_lock_is_rejected_with_words(tmp_path: Path) -> None:
    caller = Scripted(looks={2: [NO_LOCK]})
    line = send(plan(tmp_path / "j", updates_of(1, lock_id=None)), caller).lines[2]
    assert (line.result, line.code) == (Result.REJECTED, "NOT_LOCKED")
    assert line.message
    assert line.remedy
    assert caller.rows("put") == []


# -- rows that a killed session left ---------------------------------------------------------


@pytest.mark.parametrize(
    ("looks", "lock_id", "result", "puts"),
    [
        ([OURS], "known", Result.UPDATED, 0),
        ([OURS], None, Result.UPDATED, 0),
        ([OTHERS], "known", Result.UPDATED, 1),
        ([OTHERS], None, Result.UPDATED, 1),
        ([NO_LOCK], "known", Result.UPDATED, 1),
        ([NO_LOCK], None, Result.REJECTED, 0),
        ([REFUSED], "known", Result.UPDATED, 1),
        ([REFUSED], None, Result.REJECTED, 0),
        ([BROKEN, OURS], "known", Result.UPDATED, 0),
        ([BROKEN], "known", Result.FAILED, 0),
        ([LOST], None, Result.FAILED, 0),
        ([BUSY], "known", Result.UNKNOWN, 0),
        ([DENIED], None, Result.UNKNOWN, 0),
        ([EXPIRED], "known", Result.UNKNOWN, 0),
        ([UNSUPPORTED], "known", Result.UNKNOWN, 0),
    ],
)
def test_a_row_in_doubt_is_settled_before_it_is_sent_again(
    tmp_path: Path, looks: list[Reply], lock_id: str | None, result: Result, puts: int
) -> None:
    caller = Scripted(looks={2: looks})
    sent = send(plan(tmp_path / "j", updates_of(1, lock_id=lock_id), in_doubt=1), caller)
    assert sent.results == [result]
    assert caller.asked[0][0] == "look"
    assert len(caller.rows("put")) == puts
    assert (sent.error is None) == (result is not Result.UNKNOWN)


def test_rows_in_doubt_come_first_and_the_others_are_not_looked_up(tmp_path: Path) -> None:
    caller = Scripted()
    sent = send(plan(tmp_path / "j", updates_of(40), in_doubt=15), caller, window=2)
    assert caller.rows("look") == list(range(2, 17))
    assert sorted(caller.rows("put")) == list(range(2, 42))
    assert sent.results == [Result.UPDATED] * 40


@pytest.mark.parametrize(
    ("looks", "result"),
    [(OTHERS, Result.NOT_SENT), (NO_LOCK, Result.NOT_SENT), (REFUSED, Result.UNKNOWN)],
)
def test_a_row_in_doubt_is_called_unsent_only_once_zoho_has_shown_it(
    tmp_path: Path, looks: Reply, result: Result
) -> None:
    caller = Scripted({2: [DENIED]}, {2: [looks]})
    sent = send(plan(tmp_path / "j", updates_of(1), in_doubt=1), caller)
    assert isinstance(sent.error, SignInRefused)
    assert sent.results == [result]


def test_rows_in_doubt_that_were_not_asked_about_stay_in_doubt(tmp_path: Path) -> None:
    caller = Scripted()
    path = plan(tmp_path / "j", updates_of(30), in_doubt=20)
    sent = send(path, caller, window=2, pull_after=0.05)
    assert isinstance(sent.error, Interrupted)
    assert Counter(sent.results) == {Result.UNKNOWN: 18, Result.NOT_SENT: 12}
    sent = send(path, Scripted(looks={row: [OURS] for row in range(2, 22)}), window=2)
    assert sent.results == [Result.UPDATED] * 30


# -- the stop rules --------------------------------------------------------------------------

# Look-ups that are each the end of their row, so that rows end in order.
FAIL, REFUSE, FINE = [LOST], [REFUSED], [OURS]
OTHER_CODE = [replace(REFUSED, code="NOT_ALLOWED")]
OTHER_STATUS = [replace(REFUSED, http_status=403)]
OTHER_REMEDY = [replace(REFUSED, remedy="Ask.")]
OTHER_WORDS = [replace(REFUSED, message="about another row")]


@pytest.mark.parametrize(
    ("answers", "sent_rows"),
    [
        ([FAIL, FAIL, FAIL, FINE], 3),
        ([FINE, FAIL, FAIL, FAIL, FINE], 4),
        ([FAIL, FAIL, FINE, FAIL, FAIL, FINE], 6),
        ([FAIL, FAIL, REFUSE, FAIL, FAIL, FINE], 6),
        ([FAIL, FAIL, REFUSE, FAIL, FAIL, FAIL, FINE], 6),
    ],
)
def test_rows_that_fail_one_after_another_stop_the_run(
    tmp_path: Path, answers: list[list[Reply]], sent_rows: int
) -> None:
    caller = Scripted(looks=dict(enumerate(answers, 2)))
    path = plan(tmp_path / "j", updates_of(len(answers), lock_id=None))
    sent = send(path, caller, retry=ONE_ATTEMPT, stop=StopSettings(consecutive_failures=3))
    assert caller.rows("look") == list(range(2, sent_rows + 2))
    not_sent = len(answers) - sent_rows
    assert sent.results.count(Result.NOT_SENT) == not_sent
    if not_sent:
        assert isinstance(sent.error, Stopped)
        assert "3 rows in a row failed, the last one with: no answer" in str(sent.error)
    else:
        assert sent.error is None


@pytest.mark.parametrize(
    ("answers", "sent_rows"),
    [
        ([REFUSE, REFUSE, REFUSE, FINE], 3),
        ([REFUSE, OTHER_WORDS, REFUSE, FINE], 3),
        ([REFUSE, FAIL, REFUSE, REFUSE, FINE], 4),
        ([FINE, REFUSE, REFUSE, REFUSE, REFUSE], 5),
        ([REFUSE, REFUSE, FINE, REFUSE, REFUSE, REFUSE], 6),
        ([REFUSE, REFUSE, OTHER_CODE, REFUSE, REFUSE, REFUSE], 6),
        ([REFUSE, REFUSE, OTHER_STATUS, REFUSE, REFUSE, REFUSE], 6),
        ([REFUSE, REFUSE, OTHER_REMEDY, REFUSE, REFUSE, REFUSE], 6),
    ],
)
def test_only_first_answers_that_are_all_the_same_refusal_stop_the_run(
    tmp_path: Path, answers: list[list[Reply]], sent_rows: int
) -> None:
    caller = Scripted(looks=dict(enumerate(answers, 2)))
    path = plan(tmp_path / "j", updates_of(len(answers), lock_id=None))
    sent = send(path, caller, retry=ONE_ATTEMPT, stop=StopSettings(same_refusal=3))
    assert caller.rows("look") == list(range(2, sent_rows + 2))
    not_sent = len(answers) - sent_rows
    assert sent.results.count(Result.NOT_SENT) == not_sent
    if not_sent:
        assert isinstance(sent.error, Stopped)
        assert "refused each of the first 3 rows alike" in str(sent.error)
        assert "Mend it." in str(sent.error)
    else:
        assert sent.error is None


def test_an_outage_leaves_every_row_to_resume(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(100))
    away = {row: [LOST] for row in range(22, 102)}
    sent = send(path, Scripted(away, away), window=5, stop=StopSettings(consecutive_failures=10))
    assert isinstance(sent.error, Stopped)
    counts = Counter(sent.results)
    assert counts[Result.UPDATED] == 20
    assert counts[Result.FAILED] >= 10
    assert counts[Result.FAILED] + counts[Result.UNKNOWN] <= 10 + 5 * 2
    sent = send(path, Scripted(), window=5)
    assert Counter(sent.results) == {
        Result.FAILED: counts[Result.FAILED],
        Result.UPDATED: 100 - counts[Result.FAILED],
    }


# -- the brake and the time ------------------------------------------------------------------


def test_a_brake_that_was_pulled_before_lets_nothing_out(tmp_path: Path) -> None:
    cancel_token, caller = CancelToken(), Scripted()
    cancel_token.cancel(Interrupted("Interrupted.", signal_number=15))
    sent = send(plan(tmp_path / "j", updates_of(9)), caller, cancel_token=cancel_token)
    assert sent.error is cancel_token.reason
    assert caller.asked == []
    assert sent.results == [Result.NOT_SENT] * 9


def test_calls_under_way_finish_and_the_rest_is_given_back(tmp_path: Path) -> None:
    caller = Scripted(seconds=1.0)
    path = plan(tmp_path / "j", updates_of(50))
    sent = send(path, caller, window=4, pull_after=1.5)
    assert isinstance(sent.error, Interrupted)
    assert sent.results == [Result.UPDATED] * 8 + [Result.NOT_SENT] * 42
    caller = Scripted()
    sent = send(path, caller, window=4)
    assert (sent.error, sent.results) == (None, [Result.UPDATED] * 50)
    assert caller.rows("put") == list(range(10, 52))
    assert (sent.totals.requests, sent.totals.in_flight_peak) == (50, 4)


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (replace(BUSY, retry_after=40.0), Result.NOT_SENT),
        (LOST, Result.UNKNOWN),
        (BROKEN, Result.UNKNOWN),
    ],
)
def test_nobody_who_waits_keeps_the_run_from_ending(
    tmp_path: Path, reply: Reply, result: Result
) -> None:
    retry = replace(RETRY, first_wait=50.0)
    path = plan(tmp_path / "j", updates_of(1))
    sent = send(path, Scripted({2: [reply, GOOD]}), retry=retry, pull_after=2.0)
    assert isinstance(sent.error, Interrupted)
    assert sent.results == [result]
    assert sent.totals.seconds == pytest.approx(2.0, abs=0.2)


def test_the_run_ends_when_its_time_is_over(tmp_path: Path) -> None:
    caller = Scripted(seconds=1.0)
    sent = send(plan(tmp_path / "j", updates_of(20)), caller, ends=4.5)
    assert isinstance(sent.error, Stopped)
    assert str(sent.error) == "Stopped: the time for this run is over."
    # The calls take a second, so none starts in the last two.
    assert sent.results == [Result.UPDATED] * 3 + [Result.NOT_SENT] * 17
    assert sent.totals.seconds <= 4.5


def test_a_time_that_was_over_before_lets_at_most_one_window_out(tmp_path: Path) -> None:
    caller = Scripted()
    sent = send(plan(tmp_path / "j", updates_of(20)), caller, window=3, ends=-1.0)
    assert isinstance(sent.error, Stopped)
    assert len(caller.asked) <= 3
    assert sent.results.count(Result.NOT_SENT) == 20 - len(caller.asked)


def test_a_wait_that_reaches_past_the_time_ends_the_run_at_once(tmp_path: Path) -> None:
    caller = Scripted({4: [replace(BUSY, retry_after=50.0), GOOD]})
    path = plan(tmp_path / "j", updates_of(9))
    sent = send(path, caller, ends=30.0)
    assert isinstance(sent.error, Stopped)
    assert "too many calls" in str(sent.error)
    assert sent.totals.seconds < 2
    assert Counter(sent.results) == {Result.UPDATED: 2, Result.NOT_SENT: 7}


@pytest.mark.parametrize("retry", [RETRY, ONE_ATTEMPT])
@pytest.mark.parametrize("lock_id", ["known", None])
def test_calls_that_outlast_the_time_are_cut_off_and_their_rows_in_doubt(
    tmp_path: Path, retry: Retry, lock_id: str | None
) -> None:
    path = plan(tmp_path / "j", updates_of(9, lock_id=lock_id))
    sent = send(path, Scripted(seconds=30.0), window=2, ends=5.0, retry=retry)
    assert str(sent.error) == "Stopped: the time for this run is over."
    in_doubt = Result.NOT_SENT if lock_id is None else Result.UNKNOWN  # a look-up changes nothing
    assert sent.results == [in_doubt] * 2 + [Result.NOT_SENT] * 7
    assert sent.totals.seconds == pytest.approx(5.0, abs=0.1)
    sent = send(path, Scripted(), window=2)
    assert (sent.error, sent.results) == (None, [Result.UPDATED] * 9)


def test_after_a_signal_no_call_takes_longer_than_one_may(tmp_path: Path) -> None:
    # Such as one that waits for a token, which may take much longer than an answer.
    path = plan(tmp_path / "j", updates_of(9))
    retry = replace(RETRY, timeout=20.0)
    sent = send(path, Scripted(seconds=600.0), window=2, retry=retry, pull_after=5.0)
    assert isinstance(sent.error, Interrupted)
    assert sent.totals.seconds == pytest.approx(25.0, abs=0.1)
    assert sent.results == [Result.UNKNOWN] * 2 + [Result.NOT_SENT] * 7


def test_a_signal_does_not_give_calls_more_time_than_the_run_has(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(9))
    sent = send(path, Scripted(seconds=600.0), ends=8.0, pull_after=5.0)
    assert isinstance(sent.error, Interrupted)
    assert sent.totals.seconds == pytest.approx(8.0, abs=0.1)


@pytest.mark.parametrize("window", [1, 4])
def test_a_run_spends_no_more_credits_than_it_may(tmp_path: Path, window: int) -> None:
    path = plan(tmp_path / "j", updates_of(50))
    for calls in (20, 0):  # the bound is for the run, however often it is resumed
        caller = Scripted({3: [LOST, GOOD]})
        sent = send(path, caller, limits=Limits(in_flight=window, max_credits=20))
        assert isinstance(sent.error, Stopped)
        assert "20 credits" in str(sent.error)
        assert len(caller.asked) == calls
        assert sent.totals.credits_used == 20
    assert send(path, Scripted()).results == [Result.UPDATED] * 50


@pytest.mark.parametrize("window", [1, 7])
def test_credits_for_others_are_left(tmp_path: Path, window: int) -> None:
    @dataclass(slots=True)
    class Dwindling(Scripted):
        left: int = 100

        async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
            self.left -= 1
            told = self.left
            reply = await Scripted.put_reason(self, update, lock_id)
            return replace(reply, credits_remaining=told)

    caller = Dwindling()
    limits = Limits(in_flight=window, keep_credits=40)
    sent = send(plan(tmp_path / "j", updates_of(100)), caller, limits=limits)
    assert isinstance(sent.error, Stopped)
    assert "40 credits left today, and 40 are kept" in str(sent.error)
    assert caller.left == 40
    assert sent.results == [Result.UPDATED] * 60 + [Result.NOT_SENT] * 40


def test_a_run_that_ends_in_time_is_not_stopped(tmp_path: Path) -> None:
    sent = send(plan(tmp_path / "j", updates_of(5)), Scripted(), ends=100.0)
    assert (sent.error, sent.results) == (None, [Result.UPDATED] * 5)


def test_the_watcher_is_told_why_everyone_waits(tmp_path: Path) -> None:
    caller = Scripted({2: [replace(BUSY, retry_after=3.0), GOOD]}, seconds=0.6)
    sent = send(plan(tmp_path / "j", updates_of(1)), caller)
    in_flight, windows, reasons, seconds, _ = zip(*sent.watching.beats, strict=True)
    assert in_flight[:2] == (0, 1)
    assert set(windows) == {1}
    assert reasons[0] == ""
    assert ("too many calls", pytest.approx(2.6)) in zip(reasons, seconds, strict=True)
    assert max(seconds) <= 3.0


@pytest.fixture
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be set here")
@pytest.mark.usefixtures("_berlin")
@pytest.mark.parametrize(
    ("today", "until", "hours"),
    [
        ("2026-01-15 05:00", "06:00", 1),
        ("2026-01-15 06:00", "06:00", 24),
        ("2026-01-15 22:00", "06:00", 8),
        ("2026-01-31 22:00", "06:00", 8),
        ("2026-12-31 22:00", "00:00", 2),
        ("2026-03-28 22:00", "06:00", 7),  # the clocks go forward
        ("2026-03-29 01:30", "06:00", 3.5),
        ("2026-10-24 22:00", "06:00", 9),  # and back
        ("2026-10-25 01:30", "06:00", 5.5),
        ("2026-10-25 06:00", "06:00", 24),
        ("2026-03-28 06:30", "06:00", 22.5),
    ],
)
def test_until_is_the_next_such_time_of_day(today: str, until: str, hours: float) -> None:
    here = datetime.fromisoformat(today).astimezone()
    stop = StopSettings(until=datetime.strptime(until, "%H:%M").time())  # noqa: DTZ007  a time of day
    assert deadline(stop, started_monotonic=500.0, started_at=here) == 500.0 + hours * 3600
    assert (
        deadline(stop, started_monotonic=500.0, started_at=here.astimezone(UTC))
        == 500.0 + hours * 3600
    )


@pytest.mark.parametrize(
    ("max_runtime", "has_until", "end"),
    [(None, False, None), (60.0, False, 63.0), (60.0, True, 63.0), (9e9, True, 3603.0)],
)
def test_the_earlier_of_max_runtime_and_until_ends_the_run(
    max_runtime: float | None, has_until: bool, end: float | None
) -> None:
    started_at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    until = (started_at.astimezone() + timedelta(hours=1)).time() if has_until else None
    stop = StopSettings(max_runtime=max_runtime, until=until)
    assert deadline(stop, started_monotonic=3.0, started_at=started_at) == end


# -- exceptions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (SignInRefused("The refresh token is revoked."), "The refresh token is revoked."),
        (Stopped("Stopped: no token."), "Stopped: no token."),
    ],
)
def test_a_token_that_is_refused_in_mid_run_ends_it_cleanly(
    tmp_path: Path, raised: BatchlockError, told: str
) -> None:
    caller = Scripted({6: [raised]}, {6: [raised]})
    sent = send(plan(tmp_path / "j", updates_of(30)), caller, window=3)
    assert type(sent.error) is type(raised)
    assert str(sent.error) == told
    assert (
        sent.results
        == [Result.UPDATED] * 4 + [Result.NOT_SENT] + [Result.UPDATED] * 1 + [Result.NOT_SENT] * 24
    )


def test_any_other_trouble_with_the_token_can_be_resumed(tmp_path: Path) -> None:
    caller = Scripted({2: [UsageError("The state folder is not writable.")]})
    sent = send(plan(tmp_path / "j", updates_of(2)), caller)
    assert isinstance(sent.error, Stopped)
    assert "The state folder is not writable." in str(sent.error)
    assert sent.results == [Result.NOT_SENT] * 2


def test_a_token_refused_after_a_lost_answer_leaves_the_row_in_doubt(tmp_path: Path) -> None:
    caller = Scripted({2: [LOST, SignInRefused("Revoked.")]})
    sent = send(plan(tmp_path / "j", updates_of(1)), caller)
    assert sent.results == [Result.UNKNOWN]


def test_a_bug_surfaces_as_itself_and_what_was_under_way_stays_in_doubt(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(30))
    sent = send(path, Scripted({8: [ZeroDivisionError("a bug")]}), window=3)
    assert type(sent.error) is ZeroDivisionError
    counts = Counter(sent.results)
    assert counts[Result.UPDATED] <= 6
    assert 1 <= counts[Result.UNKNOWN] <= 6
    sent = send(path, Scripted(), window=3)
    assert (sent.error, sent.results) == (None, [Result.UPDATED] * 30)


def test_a_commit_under_way_is_over_before_a_bug_surfaces(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(3))
    over = []

    class Slow(Journal):
        def commit_batch(self, *arguments: Any, **named: Any) -> list[Update]:
            claimed = Journal.commit_batch(self, *arguments, **named)
            if arguments[0]:  # an outcome is written, while the next row meets the bug
                time.sleep(0.3)
                over.append(True)
            return claimed

    async def main() -> None:
        caller = Scripted({3: [ZeroDivisionError("a bug")]}, seconds=0.1)
        limiter = CallLimiter(Limits(in_flight=1), RETRY)
        with Slow.open(path) as journal:
            sending = deliver(
                journal,
                caller,
                limiter,
                retry=RETRY,
                stop=StopSettings(),
                cancel_token=CancelToken(),
                observer=Watching(),
            )
            with pytest.raises(ZeroDivisionError):
                await sending
            assert over == [True]

    asyncio.run(main())


def test_a_brake_that_is_pulled_after_the_end_stops_nothing(tmp_path: Path) -> None:
    cancel_token = CancelToken()
    assert (
        send(plan(tmp_path / "j", updates_of(3)), Scripted(), cancel_token=cancel_token).error
        is None
    )
    cancel_token.cancel(Stopped("too late"))  # from a signal's handler, where no loop runs any more


def test_what_a_brake_stops_is_stopped_whatever_else_fails() -> None:
    cancel_token, stopped = CancelToken(), list[int]()
    stops = (lambda: stopped.append(1), lambda: 1 // 0, lambda: stopped.append(2))
    with cancel_token.callbacks_while(*stops), pytest.raises(ZeroDivisionError):
        cancel_token.cancel(Stopped("why"))
    assert stopped == [1, 2]
    with cancel_token.callbacks_while(lambda: stopped.append(3)):
        assert stopped == [1, 2, 3]


def test_two_bugs_at_once_surface_as_one(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(3))
    caller = Scripted({2: [ZeroDivisionError("first")], 3: [KeyError("second")]})
    sent = send(path, caller, window=3)
    assert type(sent.error) in (ZeroDivisionError, KeyError)


def test_a_run_that_is_cancelled_leaves_its_rows_in_doubt(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(30))

    async def main() -> int:
        limiter = CallLimiter(Limits(in_flight=3), RETRY, clock=LoopClock())
        with Journal.open(path) as journal:
            sending = asyncio.create_task(
                deliver(
                    journal,
                    Scripted(seconds=1.0),
                    limiter,
                    retry=RETRY,
                    stop=StopSettings(),
                    cancel_token=CancelToken(),
                    observer=Watching(),
                )
            )
            await asyncio.sleep(1.5)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            return limiter.in_flight

    assert jump_through(main()) == 0
    counts = Counter(left_behind(path, None, Watching()).results)
    assert counts == {Result.UPDATED: 3, Result.UNKNOWN: 6, Result.NOT_SENT: 21}
    sent = send(path, Scripted(looks={row: [OURS] for row in (5, 6, 7)}), window=3)
    assert sent.results == [Result.UPDATED] * 30


# -- the journal meanwhile -------------------------------------------------------------------


def statuses(path: Path) -> dict[int, str]:
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT row, status FROM progress").fetchall())
    finally:
        connection.close()


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("in_doubt", [0, 3])
def test_a_row_is_marked_before_it_goes_out_and_at_most_two_windows_are(
    tmp_path: Path, window: int, in_doubt: int
) -> None:
    path = plan(tmp_path / "j", updates_of(60), in_doubt=in_doubt)
    marked = []

    def look(update: Update) -> None:
        now = statuses(path)
        assert now[update.row] == "sending"
        marked.append(sum(status == "sending" for status in now.values()))

    send(path, Scripted(on_call=look, seconds=0.07), window=window)
    # A row whose end has not been committed yet is still marked, so one window more may show.
    assert max(marked) <= 3 * window + in_doubt
    assert len(marked) == 60 + in_doubt


def test_claims_stay_within_two_windows_while_nothing_ends(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(60))
    sent = send(path, Scripted({row: [BUSY] for row in range(2, 62)}), window=4, pull_after=0.05)
    assert sent.results == [Result.NOT_SENT] * 60

    seen: list[int] = []

    def look(_: Update) -> None:
        seen.append(sum(status == "sending" for status in statuses(path).values()))

    send(path, Scripted(on_call=look, seconds=9.0), window=4, pull_after=1.0)
    assert seen == [8, 8, 8, 8]


def test_outcomes_are_recorded_soon_after_they_happen(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(60))
    on_row: dict[int, float] = {}
    checks = 0

    def look(update: Update) -> None:
        nonlocal checks
        now = asyncio.get_running_loop().time()
        recorded = statuses(path)
        for row, moment in on_row.items():
            if moment < now - 0.1:
                checks += 1
                assert recorded[row] == "updated"
        on_row[update.row] = now + 0.03

    send(path, Scripted(on_call=look, seconds=0.03), window=3)
    assert checks


# -- whatever happens ------------------------------------------------------------------------


@dataclass(slots=True)
class World:
    """A Zoho that has the truth, and answers as the dice say."""

    dice: Callable[[], float]
    calm: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    landed: Counter[int] = field(default_factory=Counter)
    shown: Counter[int] = field(default_factory=Counter)
    """Rows by how often we were told that the update was made."""
    refused: set[int] = field(default_factory=set)
    sent: set[int] = field(default_factory=set)

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        assert lock_id == lock_id_of(update.record_id)
        await asyncio.sleep(self.dice() * 2)
        fault = await self._fault(update)
        if fault is not None:
            return fault
        drawn = 1.0 if self.calm else self.dice()
        if drawn < 0.1:
            self.refused.add(update.row)
            return REFUSED
        if drawn < 0.2:
            self.sent.add(update.row)
            return (self.dice() < 0.5 and LOST) or BROKEN
        self.sent.add(update.row)
        self.reasons[update.record_id] = update.reason
        self.landed[update.row] += 1
        if drawn < 0.4:
            return LOST
        self.shown[update.row] += 1
        return GOOD

    async def find_lock(self, update: Update) -> Reply:
        await asyncio.sleep(self.dice() * 2)
        fault = await self._fault(update)
        if fault is not None:
            return fault
        if not self.calm and self.dice() < 0.2:
            return LOST
        reason = self.reasons.get(update.record_id, "before")
        return shows(reason, lock_id_of(update.record_id))

    async def _fault(self, update: Update) -> Reply | None:
        drawn = 1.0 if self.calm else self.dice()
        if drawn < 0.005:
            return DENIED
        if drawn < 0.01:
            raise SignInRefused("Revoked.")
        if drawn < 0.05:
            return EXPIRED
        if drawn < 0.1:
            return BUSY
        return AWAY if drawn < 0.15 else None


@settings(max_examples=150, deadline=None)
@given(
    seed=st.randoms(use_true_random=False),
    rows=st.integers(1, 25),
    in_doubt=st.integers(0, 6),
    window=st.integers(1, 6),
    looked_up=st.booleans(),
    pulls=st.lists(st.floats(0, 15), max_size=3),
)
def test_the_results_are_true_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory,
    seed: Random,
    rows: int,
    in_doubt: int,
    window: int,
    looked_up: bool,
    pulls: list[float],
) -> None:
    updates = updates_of(rows, lock_id=None if looked_up else "known")
    path = plan(tmp_path_factory.getbasetemp() / "journal", updates, in_doubt=in_doubt)
    world = World(seed.random)
    # Nobody knows what became of the rows that a killed session left.
    for update in updates[:in_doubt]:
        if seed.random() < 0.5:
            world.reasons[update.record_id] = update.reason
            world.sent.add(update.row)
    for pull_after in [*pulls, None]:
        world.calm = pull_after is None
        sent = send(path, world, window=window, pull_after=pull_after)
        assert list(sent.lines) == [update.row for update in updates]
        for update in updates:
            line = sent.lines[update.row]
            is_so = world.reasons.get(update.record_id) == update.reason
            match line.result:
                case Result.UPDATED | Result.UNCHANGED:
                    assert is_so
                case Result.NOT_SENT:
                    assert not is_so
                case Result.REJECTED:
                    assert update.row in world.refused
                case Result.UNKNOWN:
                    assert update.row in world.sent or update.row < 2 + in_doubt
                case _:
                    assert line.result is Result.FAILED
                    assert line.attempts >= RETRY.attempts
            assert world.shown[update.row] <= 1
    assert sent.error is None
    assert not {Result.NOT_SENT, Result.UNKNOWN} & set(sent.results)


# -- over HTTP -------------------------------------------------------------------------------


class Fast(SystemClock):
    """A hundred times as fast as this machine's."""

    def monotonic(self) -> float:
        return super().monotonic() * 100

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        await super().wait(event, None if seconds is None else seconds / 100)


@asynccontextmanager
async def client_of(
    simulator: Simulator, folder: Path, *, refresh_token: str = "mine"
) -> AsyncIterator[Client]:
    async with session(limit=0) as calls:
        account = OAuthClient(
            accounts_url=simulator.url,
            client_id="me",
            client_secret=SecretStr("hush"),
            refresh_token=SecretStr(refresh_token),
            data_center="us",
            environment="production",
        )
        path = folder / "tokens" / "acme.json"
        tokens = Tokens(account, path=path, session=calls, max_wait=5.0, timeout=5.0)
        yield Client(Endpoint(api_url=simulator.url, timeout=2.0), tokens, calls)


def send_over_http(
    path: Path,
    behaviour: Behaviour,
    *,
    window: int = 8,
    refresh_token: str = "mine",
    stop: StopSettings | None = None,
) -> tuple[Sent, Simulator]:
    watching = Watching()

    async def main() -> tuple[BatchlockError | None, Simulator]:
        async with serving(behaviour) as simulator:
            async with client_of(simulator, path.parent, refresh_token=refresh_token) as client:
                limiter = CallLimiter(Limits(in_flight=window), RETRY, clock=Fast())
                with Journal.open(path) as journal:
                    try:
                        await deliver(
                            journal,
                            client,
                            limiter,
                            retry=RETRY,
                            stop=stop or StopSettings(),
                            cancel_token=CancelToken(),
                            observer=watching,
                        )
                    except BatchlockError as error:
                        return error, simulator
            return None, simulator

    error, simulator = asyncio.run(main())
    return left_behind(path, error, watching), simulator


def reason_at(simulator: Simulator, update: Update) -> str | None:
    lock = simulator.locks.known.get(f"{update.module}/{update.record_id}")
    return lock.reason if lock else None


@pytest.mark.parametrize("lock_id", ["known", None])
def test_a_healthy_org_gets_every_row_once(tmp_path: Path, lock_id: str | None) -> None:
    updates = updates_of(120, lock_id=lock_id)
    sent, simulator = send_over_http(plan(tmp_path / "j", updates), Behaviour())
    assert sent.error is None
    assert sent.results == [Result.UPDATED] * 120
    assert {reason_at(simulator, one) for one in updates} == {"mine"}
    assert simulator.ledger.count(Kind.PUT) == 120
    assert simulator.ledger.count(Kind.GET) == (0 if lock_id else 120)
    assert simulator.ledger.count(Kind.TOKEN) == 1
    assert simulator.ledger.in_flight_peak <= 8
    assert sent.totals.requests == simulator.ledger.api_calls
    assert sent.totals.credits_used == simulator.ledger.credits_used


def test_what_is_called_updated_is_updated_at_an_org_full_of_faults(tmp_path: Path) -> None:
    updates = updates_of(150)
    faults = {
        Fault.SERVER_ERROR: 0.05,
        Fault.BAD_GATEWAY: 0.05,
        Fault.PROXY_PAGE: 0.05,
        Fault.THROTTLED: 0.05,
        Fault.DROPPED_BEFORE: 0.05,
        Fault.DROPPED_AFTER: 0.05,
        Fault.CUT_BODY: 0.05,
        Fault.CUT_CONNECTION: 0.05,
    }
    sent, simulator = send_over_http(
        plan(tmp_path / "j", updates), Behaviour(faults=faults, seed=7)
    )
    assert sent.error is None
    assert len(sent.lines) == 150
    assert set(sent.results) <= {Result.UPDATED, Result.FAILED}
    assert sent.results.count(Result.UPDATED) > 100
    for one in updates:
        if sent.lines[one.row].result is Result.UPDATED:
            assert reason_at(simulator, one) == "mine"
    assert sum(line.attempts for line in sent.lines.values()) == simulator.ledger.api_calls


def test_an_org_that_allows_fewer_calls_at_once_still_gets_every_row(tmp_path: Path) -> None:
    behaviour = Behaviour(in_flight_cap=3, latency=0.005)
    sent, _ = send_over_http(plan(tmp_path / "j", updates_of(60)), behaviour, window=8)
    assert sent.error is None
    assert sent.results == [Result.UPDATED] * 60


def test_a_token_that_is_revoked_in_mid_run_is_replaced(tmp_path: Path) -> None:
    revoked = replace(update_of(2), record_id=RecordId("990000000000000312"))
    updates = [revoked, *updates_of(20)[1:]]
    sent, simulator = send_over_http(plan(tmp_path / "j", updates), Behaviour())
    assert sent.error is None
    assert sent.results == [Result.UPDATED] * 20
    assert simulator.ledger.count(Kind.TOKEN) == 2


@pytest.mark.parametrize(
    ("refresh_token", "error"),
    [
        ("revoked", SignInRefused),
        ("scope_missing", SignInRefused),
        ("never_valid", SignInRefused),
        ("no_edition", Stopped),
    ],
)
def test_a_sign_in_that_is_refused_ends_the_run_with_nothing_sent(
    tmp_path: Path, refresh_token: str, error: type[BatchlockError]
) -> None:
    path = plan(tmp_path / "j", updates_of(30))
    sent, simulator = send_over_http(path, Behaviour(), refresh_token=refresh_token)
    assert type(sent.error) is error
    assert sent.results == [Result.NOT_SENT] * 30
    assert simulator.ledger.updates == 0


def test_an_outage_stops_the_run_and_the_rest_is_resumed(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(60))
    stop = StopSettings(consecutive_failures=5)
    sent, _ = send_over_http(path, Behaviour(fail_from=21), stop=stop)
    assert isinstance(sent.error, Stopped)
    counts = Counter(sent.results)
    assert counts[Result.UPDATED] == 20
    assert counts[Result.NOT_SENT] >= 60 - 20 - 5 - 16
    sent, _ = send_over_http(path, Behaviour())
    assert sent.error is None
    assert Counter(sent.results) == {
        Result.UPDATED: 60 - counts[Result.FAILED],
        Result.FAILED: counts[Result.FAILED],
    }


def test_a_server_that_is_gone_ends_the_run_with_nothing_sent(tmp_path: Path) -> None:
    path = plan(tmp_path / "j", updates_of(20))

    async def main() -> None:
        async with serving() as simulator, client_of(simulator, tmp_path) as client:
            await client.find_lock(update_of(2))  # there is a token now
        async with client_of(simulator, tmp_path) as client:
            with Journal.open(path) as journal, pytest.raises(Stopped, match="No good answer"):
                await deliver(
                    journal,
                    client,
                    CallLimiter(Limits(in_flight=4), RETRY, clock=Fast()),
                    retry=RETRY,
                    stop=StopSettings(),
                    cancel_token=CancelToken(),
                    observer=Watching(),
                )

    asyncio.run(main())
    sent = left_behind(path, None, Watching())
    assert sent.results == [Result.NOT_SENT] * 20
    assert sent.totals.requests == 0
