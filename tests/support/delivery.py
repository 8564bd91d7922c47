"""Deliveries of a journal's rows to a scripted Zoho, in simulated time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from batchlock.core.cancel import CancelToken
from batchlock.core.observer import LimiterSnapshot, RunObserver
from batchlock.core.reply import Lock, Reply, Verdict
from batchlock.core.results import Outcome, Result, ResultRow
from batchlock.core.rows import Action, LockId, RecordId, Update
from batchlock.core.runs import Totals
from batchlock.core.stop import Cancelled, StopReason
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.row import LockApi
from batchlock.send.sender import deliver
from batchlock.send.session import cancel_at_deadline
from batchlock.send.settings import PreviousReason, StopSettings
from batchlock.simulator import lock_id_of
from batchlock.store.journal import Journal
from support.clocks import LoopClock, run_simulated
from support.run_info import INTERRUPTED, run_info

FIRST_RECORD = 5843104000000400000
OUR_REASON = "our reason"
RETRY = Retry(attempts=3, first_wait=0.5, give_up_after=60.0)
ONE_ATTEMPT = replace(RETRY, attempts=1)

ACCEPTED = Reply(
    verdict=Verdict.ACCEPTED, http_status=200, code="SUCCESS", message="relation updated"
)
REFUSED = Reply(verdict=Verdict.REFUSED, http_status=400, code="INVALID_DATA", remedy="Correct it.")
THROTTLED = Reply(verdict=Verdict.THROTTLED, http_status=429, message="too many calls")
UNREACHABLE = Reply(verdict=Verdict.UNREACHABLE, message="no connection")
BROKEN = Reply(verdict=Verdict.BROKEN, http_status=500, message="a fault")
LOST = Reply(verdict=Verdict.LOST, message="no answer")
EXPIRED = Reply(verdict=Verdict.EXPIRED, http_status=401, message="the token was refused")
DENIED = Reply(verdict=Verdict.DENIED, http_status=401, message="no scope", remedy="Add it.")
UNSUPPORTED = Reply(verdict=Verdict.UNSUPPORTED, http_status=400, message="wrong edition")


def lock_reply(reason: str | None, lock_id: str = "777") -> Reply:
    """Return the answer to a look-up that shows a lock."""
    lock = Lock(LockId(lock_id), reason)
    return Reply(verdict=Verdict.ACCEPTED, http_status=200, lock=lock)


LOCKED = replace(lock_reply(OUR_REASON, "888"), http_status=201, code="SUCCESS")
HAS_OUR_REASON = lock_reply(OUR_REASON)
HAS_OTHER_REASON = lock_reply("another reason")
NO_LOCK = Reply(verdict=Verdict.ACCEPTED, http_status=204)


def update_of(
    row: int, *, lock_id: str | None = "in file", action: Action = Action.UPDATE
) -> Update:
    """Return the update of a row; without a `lock_id` it is looked up first."""
    record_id = str(FIRST_RECORD + row)
    if lock_id == "in file":
        lock_id = lock_id_of(record_id)
    return Update(
        row,
        "Leads",
        RecordId(record_id),
        None if lock_id is None else LockId(lock_id),
        "" if action is Action.UNLOCK else OUR_REASON,
        action,
    )


def updates_of(
    rows: int, *, lock_id: str | None = "in file", action: Action = Action.UPDATE
) -> list[Update]:
    return [update_of(row, lock_id=lock_id, action=action) for row in range(2, rows + 2)]


def journal_of(
    path: Path, updates: Sequence[Update], *, in_doubt: int = 0, changes_reasons: bool = False
) -> Path:
    """Write a journal whose first rows were being sent when the last session was killed."""
    path.unlink(missing_ok=True)
    with Journal.create(path, run_info(titles=("Reason",))) as journal:
        journal.add(
            [(update.row, (update.reason,)) for update in updates], updates=updates, problems=[]
        )
        if changes_reasons:
            journal.set_changes_reasons()
    with Journal.open(path) as journal:
        journal.commit_batch([], claim=in_doubt)
    return path


@dataclass(slots=True)
class ScriptedApi:
    """Answers each row from a script, and records the calls."""

    puts: Mapping[int, Sequence[Reply | Exception]] = field(default_factory=dict)
    """Answers for each row, of which the last one repeats; other rows are accepted."""
    lookups: Mapping[int, Sequence[Reply | Exception]] = field(default_factory=dict)
    """The same for look-ups; other rows have another reason."""
    posts: Mapping[int, Sequence[Reply | Exception]] = field(default_factory=dict)
    """The same for locks; other rows are locked."""
    deletes: Mapping[int, Sequence[Reply | Exception]] = field(default_factory=dict)
    """The same for unlocks; other rows are accepted."""
    seconds: float = 0.1
    """Duration of each call."""
    on_call: Callable[[Update], object] = lambda _: None
    calls: list[tuple[str, int, str]] = field(default_factory=list)
    """Kind (put, post, delete or look-up), row and lock id."""
    call_counts: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        return await self._answer("put", update, lock_id, self.puts.get(update.row, [ACCEPTED]))

    async def lock(self, update: Update) -> Reply:
        return await self._answer("post", update, "", self.posts.get(update.row, [LOCKED]))

    async def unlock(self, update: Update, lock_id: LockId) -> Reply:
        answers = self.deletes.get(update.row, [ACCEPTED])
        return await self._answer("delete", update, lock_id, answers)

    async def find_lock(self, update: Update) -> Reply:
        answers = self.lookups.get(update.row, [HAS_OTHER_REASON])
        return await self._answer("look-up", update, "", answers)

    async def _answer(
        self, kind: str, update: Update, lock_id: str, answers: Sequence[Reply | Exception]
    ) -> Reply:
        self.calls.append((kind, update.row, lock_id))
        self.on_call(update)
        position = self.call_counts[kind, update.row]
        self.call_counts[kind, update.row] += 1
        await asyncio.sleep(self.seconds)
        answer = answers[min(position, len(answers) - 1)]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def rows(self, kind: str) -> list[int]:
        return [row for call_kind, row, _ in self.calls if call_kind == kind]


@dataclass(slots=True)
class RecordingObserver(RunObserver):
    outcomes: list[Outcome] = field(default_factory=list)
    snapshots: list[LimiterSnapshot] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def on_message(self, sentence: str) -> None:
        self.messages.append(sentence)

    def on_row(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        self.snapshots.append(snapshot)


@dataclass(slots=True, kw_only=True)
class Delivery:
    """The end of a delivery, as the journal and the observer show it."""

    error: BaseException | None
    lines: dict[int, ResultRow]
    totals: Totals
    observer: RecordingObserver

    @property
    def reason(self) -> StopReason:
        """Why the delivery was cancelled."""
        assert isinstance(self.error, Cancelled), self.error
        return self.error.reason

    @property
    def results(self) -> list[Result]:
        return [line.result for line in self.lines.values()]


def read_delivery(
    path: Path, error: BaseException | None = None, observer: RecordingObserver | None = None
) -> Delivery:
    with Journal.open(path) as journal:
        lines = {line.row: line for line in journal.result_rows()}
        return Delivery(
            error=error,
            lines=lines,
            totals=journal.totals,
            observer=observer or RecordingObserver(),
        )


def send(
    path: Path,
    api: LockApi,
    *,
    window: int = 1,
    limits: Limits | None = None,
    retry: Retry = RETRY,
    stop: StopSettings | None = None,
    cancel_token: CancelToken | None = None,
    cancel_after: float | None = None,
    deadline_monotonic: float | None = None,
    previous_reason: PreviousReason = PreviousReason.AUTO,
) -> Delivery:
    """Deliver the rows of the journal at `path` in simulated time, which begins at 0 seconds.

    After `cancel_after` seconds a signal interrupts the run.
    """
    token, observer = cancel_token or CancelToken(), RecordingObserver()

    async def main() -> BaseException | None:
        if cancel_after is not None:
            asyncio.get_running_loop().call_later(cancel_after, token.cancel, INTERRUPTED)
        with Journal.open(path) as journal:
            limiter = CallLimiter(
                limits or Limits(in_flight=window),
                retry,
                credits_used=journal.totals.credits_used,
                deadline_monotonic=deadline_monotonic,
                clock=LoopClock(),
                random=lambda: 1.0,
            )
            timer = asyncio.create_task(cancel_at_deadline(limiter, token))
            try:
                await deliver(
                    journal,
                    api,
                    limiter,
                    retry=retry,
                    stop=stop or StopSettings(),
                    cancel_token=token,
                    observer=observer,
                    previous_reason=previous_reason,
                )
            except Exception as error:
                return error
            finally:
                timer.cancel()
                assert limiter.in_flight == 0
        return None

    return read_delivery(path, run_simulated(main()), observer)
