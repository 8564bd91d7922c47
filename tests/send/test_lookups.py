from collections import Counter
from pathlib import Path

import pytest
from support.delivery import (
    BROKEN,
    DENIED,
    EXPIRED,
    HAS_OTHER_REASON,
    HAS_OUR_REASON,
    LOST,
    NO_LOCK,
    REFUSED,
    THROTTLED,
    UNSUPPORTED,
    ScriptedApi,
    journal_of,
    lock_reply,
    send,
    updates_of,
)
from support.run_info import INTERRUPTED

from batchlock.core.reply import Reply
from batchlock.core.results import Result
from batchlock.core.stop import StopCode


def test_the_put_goes_to_the_lock_of_the_look_up(tmp_path: Path) -> None:
    api = ScriptedApi(lookups={2: [lock_reply(None, "4711")]})
    delivery = send(journal_of(tmp_path / "j", updates_of(1, lock_id=None)), api)
    assert api.calls == [("look-up", 2, ""), ("put", 2, "4711")]
    assert delivery.lines[2].attempts == 2


def test_a_lock_that_has_the_reason_is_unchanged(tmp_path: Path) -> None:
    api = ScriptedApi(lookups={2: [HAS_OUR_REASON]})
    delivery = send(journal_of(tmp_path / "j", updates_of(1, lock_id=None)), api)
    assert delivery.results == [Result.UNCHANGED]
    assert delivery.lines[2].message == "The lock already has this reason; nothing was sent."
    assert api.rows("put") == []


def test_a_record_without_a_lock_is_rejected_with_a_remedy(tmp_path: Path) -> None:
    api = ScriptedApi(lookups={2: [NO_LOCK]})
    line = send(journal_of(tmp_path / "j", updates_of(1, lock_id=None)), api).lines[2]
    assert (line.result, line.code) == (Result.REJECTED, "NOT_LOCKED")
    assert line.message
    assert line.remedy
    assert api.rows("put") == []


@pytest.mark.parametrize(
    ("lookups", "lock_id", "result", "puts"),
    [
        ([HAS_OUR_REASON], "in file", Result.UPDATED, 0),
        ([HAS_OUR_REASON], None, Result.UPDATED, 0),
        ([HAS_OTHER_REASON], "in file", Result.UPDATED, 1),
        ([HAS_OTHER_REASON], None, Result.UPDATED, 1),
        ([NO_LOCK], "in file", Result.UPDATED, 1),
        ([NO_LOCK], None, Result.REJECTED, 0),
        ([REFUSED], "in file", Result.UPDATED, 1),
        ([REFUSED], None, Result.REJECTED, 0),
        ([BROKEN, HAS_OUR_REASON], "in file", Result.UPDATED, 0),
        ([BROKEN], "in file", Result.FAILED, 0),
        ([LOST], None, Result.FAILED, 0),
        ([THROTTLED], "in file", Result.UNKNOWN, 0),
        ([DENIED], None, Result.UNKNOWN, 0),
        ([EXPIRED], "in file", Result.UNKNOWN, 0),
        ([UNSUPPORTED], "in file", Result.UNKNOWN, 0),
    ],
)
def test_a_row_in_doubt_is_looked_up_before_it_is_sent_again(
    tmp_path: Path, lookups: list[Reply], lock_id: str | None, result: Result, puts: int
) -> None:
    api = ScriptedApi(lookups={2: lookups})
    delivery = send(journal_of(tmp_path / "j", updates_of(1, lock_id=lock_id), in_doubt=1), api)
    assert delivery.results == [result]
    assert api.calls[0][0] == "look-up"
    assert len(api.rows("put")) == puts
    assert (delivery.error is None) == (result is not Result.UNKNOWN)


def test_rows_in_doubt_are_first_and_only_they_are_looked_up(tmp_path: Path) -> None:
    api = ScriptedApi()
    delivery = send(journal_of(tmp_path / "j", updates_of(40), in_doubt=15), api, window=2)
    assert api.rows("look-up") == list(range(2, 17))
    assert sorted(api.rows("put")) == list(range(2, 42))
    assert delivery.results == [Result.UPDATED] * 40


@pytest.mark.parametrize(
    ("lookups", "result"),
    [(HAS_OTHER_REASON, Result.NOT_SENT), (NO_LOCK, Result.NOT_SENT), (REFUSED, Result.UNKNOWN)],
)
def test_a_row_in_doubt_is_unsent_only_after_zoho_has_shown_its_lock(
    tmp_path: Path, lookups: Reply, result: Result
) -> None:
    api = ScriptedApi({2: [DENIED]}, {2: [lookups]})
    delivery = send(journal_of(tmp_path / "j", updates_of(1), in_doubt=1), api)
    assert delivery.reason.code is StopCode.SIGN_IN
    assert delivery.results == [result]


def test_rows_in_doubt_without_a_look_up_stay_in_doubt(tmp_path: Path) -> None:
    api = ScriptedApi()
    path = journal_of(tmp_path / "j", updates_of(30), in_doubt=20)
    delivery = send(path, api, window=2, cancel_after=0.05)
    assert delivery.reason is INTERRUPTED
    assert Counter(delivery.results) == {Result.UNKNOWN: 18, Result.NOT_SENT: 12}
    delivery = send(
        path, ScriptedApi(lookups={row: [HAS_OUR_REASON] for row in range(2, 22)}), window=2
    )
    assert delivery.results == [Result.UPDATED] * 30
