from pathlib import Path

import pytest
from support.delivery import (
    ACCEPTED,
    BROKEN,
    DENIED,
    EXPIRED,
    HAS_OTHER_REASON,
    HAS_OUR_REASON,
    LOST,
    NO_LOCK,
    REFUSED,
    THROTTLED,
    UNREACHABLE,
    UNSUPPORTED,
    ScriptedApi,
    journal_of,
    lock_reply,
    send,
    updates_of,
)

from batchlock.core.reply import Reply
from batchlock.core.results import Result
from batchlock.core.stop import StopCode

FAULTS = [THROTTLED, UNREACHABLE, BROKEN, LOST, EXPIRED]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda reply: reply.verdict.value)
@pytest.mark.parametrize("lock_id", ["in file", None])
def test_one_failure_costs_one_more_call(tmp_path: Path, fault: Reply, lock_id: str | None) -> None:
    api = ScriptedApi({2: [fault, ACCEPTED]}, {2: [fault, HAS_OTHER_REASON]})
    delivery = send(journal_of(tmp_path / "j", updates_of(2, lock_id=lock_id)), api)
    assert delivery.error is None
    assert delivery.results == [Result.UPDATED] * 2
    assert delivery.lines[2].attempts == (2 if lock_id else 4)
    assert api.rows("put").count(2) == 2
    assert api.rows("look-up").count(2) == (0 if lock_id else 2)


@pytest.mark.parametrize("lock_id", ["in file", None])
def test_a_refusal_ends_only_its_own_row(tmp_path: Path, lock_id: str | None) -> None:
    api = ScriptedApi({2: [REFUSED]}, {2: [REFUSED]})
    delivery = send(journal_of(tmp_path / "j", updates_of(2, lock_id=lock_id)), api)
    assert delivery.error is None
    assert delivery.results == [Result.REJECTED, Result.UPDATED]
    line = delivery.lines[2]
    assert (line.code, line.remedy, line.attempts) == ("INVALID_DATA", "Correct it.", 1)


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (DENIED, StopCode.SIGN_IN, "no scope"),
        (UNSUPPORTED, StopCode.RULE, "wrong edition"),
        (EXPIRED, StopCode.SIGN_IN, "the token was refused"),
        (THROTTLED, StopCode.RULE, "No good answer came for "),
        (UNREACHABLE, StopCode.RULE, "No good answer came for "),
    ],
    ids=lambda value: value.verdict.value if isinstance(value, Reply) else None,
)
@pytest.mark.parametrize("lock_id", ["in file", None])
def test_a_verdict_that_applies_to_every_row_ends_the_run_with_nothing_sent(
    tmp_path: Path, reply: Reply, code: StopCode, message: str, lock_id: str | None
) -> None:
    always = {row: [reply] for row in range(2, 11)}
    delivery = send(
        journal_of(tmp_path / "j", updates_of(9, lock_id=lock_id)), ScriptedApi(always, always)
    )
    assert delivery.reason.code is code
    assert message in delivery.reason.sentence
    assert delivery.results == [Result.NOT_SENT] * 9
    assert delivery.observer.outcomes == []


def test_a_token_that_is_refused_twice_ends_the_run(tmp_path: Path) -> None:
    api = ScriptedApi({2: [EXPIRED]})
    delivery = send(journal_of(tmp_path / "j", updates_of(1)), api)
    assert delivery.reason.code is StopCode.SIGN_IN
    assert api.rows("put") == [2, 2]


def test_a_token_may_expire_again_after_it_was_accepted(tmp_path: Path) -> None:
    api = ScriptedApi({2: [EXPIRED, THROTTLED, EXPIRED, BROKEN, EXPIRED, ACCEPTED]})
    delivery = send(journal_of(tmp_path / "j", updates_of(1)), api)
    assert (delivery.error, delivery.results) == (None, [Result.UPDATED])


@pytest.mark.parametrize("fault", [BROKEN, LOST], ids=lambda reply: reply.verdict.value)
def test_a_row_without_an_answer_fails_after_its_attempts_and_one_look_up(
    tmp_path: Path, fault: Reply
) -> None:
    api = ScriptedApi({2: [fault]})
    delivery = send(journal_of(tmp_path / "j", updates_of(2)), api)
    assert delivery.error is None
    assert delivery.results == [Result.FAILED, Result.UPDATED]
    assert api.rows("put").count(2) == 3
    assert api.rows("look-up") == [2]
    line = delivery.lines[2]
    assert (line.message, line.attempts, line.http_status) == (fault.message, 4, fault.http_status)


@pytest.mark.parametrize("fault", [BROKEN, LOST], ids=lambda reply: reply.verdict.value)
def test_a_look_up_without_an_answer_fails_its_row_without_a_put(
    tmp_path: Path, fault: Reply
) -> None:
    api = ScriptedApi(lookups={2: [fault]})
    delivery = send(journal_of(tmp_path / "j", updates_of(1, lock_id=None)), api)
    assert (delivery.results, delivery.lines[2].attempts) == ([Result.FAILED], 3)
    assert api.rows("put") == []


@pytest.mark.parametrize(
    ("lookups", "result", "attempts"),
    [
        ([HAS_OUR_REASON], Result.UPDATED, 4),
        ([HAS_OTHER_REASON], Result.FAILED, 4),
        ([lock_reply(None)], Result.FAILED, 4),
        ([NO_LOCK], Result.FAILED, 4),
        ([REFUSED], Result.FAILED, 4),
        ([BROKEN, HAS_OUR_REASON], Result.FAILED, 4),
        ([LOST, HAS_OUR_REASON], Result.FAILED, 4),
        ([THROTTLED, UNREACHABLE, HAS_OUR_REASON], Result.UPDATED, 6),
        ([EXPIRED, HAS_OUR_REASON], Result.UPDATED, 5),
        ([THROTTLED], Result.UNKNOWN, 0),
        ([DENIED], Result.UNKNOWN, 0),
        ([UNSUPPORTED], Result.UNKNOWN, 0),
        ([EXPIRED], Result.UNKNOWN, 0),
    ],
)
def test_a_row_whose_answers_were_lost_is_verified_by_a_look_up(
    tmp_path: Path, lookups: list[Reply], result: Result, attempts: int
) -> None:
    api = ScriptedApi({2: [LOST]}, {2: lookups})
    delivery = send(journal_of(tmp_path / "j", updates_of(1)), api)
    assert delivery.results == [result]
    assert delivery.lines[2].attempts == attempts
    assert (delivery.error is None) == (result is not Result.UNKNOWN)


@pytest.mark.parametrize("doubt", [LOST, BROKEN], ids=lambda reply: reply.verdict.value)
@pytest.mark.parametrize("end", [THROTTLED, UNREACHABLE, EXPIRED, DENIED, UNSUPPORTED])
def test_a_row_that_may_have_arrived_is_unknown_and_not_unsent(
    tmp_path: Path, doubt: Reply, end: Reply
) -> None:
    delivery = send(journal_of(tmp_path / "j", updates_of(1)), ScriptedApi({2: [doubt, end]}))
    assert delivery.reason.sentence
    assert delivery.results == [Result.UNKNOWN]
