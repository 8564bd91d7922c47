import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.delivery import (
    LOST,
    RETRY,
    RecordingObserver,
    ScriptedApi,
    journal_of,
    send,
    updates_of,
)

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.core.results import Outcome, Result
from batchlock.core.rows import Update
from batchlock.core.stop import StopCode, StopReason
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits
from batchlock.send.sender import deliver
from batchlock.send.settings import StopSettings
from batchlock.store.journal import Journal


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SignInRefused("The refresh token is revoked."), StopCode.SIGN_IN),
        (Stopped("Stopped: no token."), StopCode.RULE),
    ],
)
def test_a_refused_token_ends_the_run_with_the_other_rows_recorded(
    tmp_path: Path, error: BatchlockError, code: StopCode
) -> None:
    api = ScriptedApi({6: [error]}, {6: [error]})
    delivery = send(journal_of(tmp_path / "j", updates_of(30)), api, window=3)
    assert delivery.reason == StopReason(code=code, sentence=str(error), exit_code=error.exit_code)
    assert (
        delivery.results
        == [Result.UPDATED] * 4 + [Result.NOT_SENT] + [Result.UPDATED] + [Result.NOT_SENT] * 24
    )


def test_another_error_of_the_token_stops_the_run_resumably(tmp_path: Path) -> None:
    api = ScriptedApi({3: [UsageError("The state folder is not writable.")]})
    delivery = send(journal_of(tmp_path / "j", updates_of(2)), api)
    assert delivery.reason == StopReason(
        code=StopCode.RULE, sentence="Stopped: The state folder is not writable.", exit_code=6
    )
    assert delivery.results == [Result.UPDATED, Result.NOT_SENT]


def test_an_error_of_the_set_up_before_any_row_was_sent_says_so(tmp_path: Path) -> None:
    api = ScriptedApi({2: [UsageError("The state folder is not writable.")]})
    delivery = send(journal_of(tmp_path / "j", updates_of(2)), api)
    assert delivery.reason == StopReason(
        code=StopCode.SETUP, sentence="The state folder is not writable.", exit_code=2
    )
    assert delivery.results == [Result.NOT_SENT, Result.NOT_SENT]


def test_a_token_refused_after_a_lost_answer_leaves_the_row_in_doubt(tmp_path: Path) -> None:
    api = ScriptedApi({2: [LOST, SignInRefused("Revoked.")]})
    delivery = send(journal_of(tmp_path / "j", updates_of(1)), api)
    assert delivery.results == [Result.UNKNOWN]


def test_a_bug_is_raised_as_itself_and_rows_in_flight_stay_in_doubt(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(30))
    delivery = send(path, ScriptedApi({8: [ZeroDivisionError("a bug")]}), window=3)
    assert type(delivery.error) is ZeroDivisionError
    counts = Counter(delivery.results)
    assert counts[Result.UPDATED] <= 6
    assert 1 <= counts[Result.UNKNOWN] <= 6
    delivery = send(path, ScriptedApi(), window=3)
    assert (delivery.error, delivery.results) == (None, [Result.UPDATED] * 30)


def test_a_commit_finishes_before_a_bug_is_raised(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(3))
    finished_commits = []

    class SlowJournal(Journal):
        def commit_batch(self, outcomes: Iterable[Outcome], **arguments: Any) -> list[Update]:
            claimed = Journal.commit_batch(self, outcomes, **arguments)
            if outcomes:  # the next row raises the bug while this thread sleeps
                time.sleep(0.3)
                finished_commits.append(outcomes)
            return claimed

    async def main() -> None:
        api = ScriptedApi({3: [ZeroDivisionError("a bug")]}, seconds=0.1)
        limiter = CallLimiter(Limits(in_flight=1), RETRY)
        with SlowJournal.open(path) as journal:
            sending = deliver(
                journal,
                api,
                limiter,
                retry=RETRY,
                stop=StopSettings(),
                cancel_token=CancelToken(),
                observer=RecordingObserver(),
            )
            with pytest.raises(ZeroDivisionError):
                await sending
            assert len(finished_commits) == 1

    asyncio.run(main())


def test_of_two_bugs_at_once_one_is_raised(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(3))
    api = ScriptedApi({2: [ZeroDivisionError("first")], 3: [KeyError("second")]})
    delivery = send(path, api, window=3)
    assert type(delivery.error) in (ZeroDivisionError, KeyError)
