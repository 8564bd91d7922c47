"""Changes whose answer is lost: what the row does next, and what the results say of it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support.delivery import (
    ACCEPTED,
    BROKEN,
    DENIED,
    HAS_OTHER_REASON,
    HAS_OUR_REASON,
    LOCKED,
    LOST,
    NO_LOCK,
    REFUSED,
    THROTTLED,
    ScriptedApi,
    journal_of,
    lock_reply,
    send,
    updates_of,
)

from batchlock.core.reply import Reply
from batchlock.core.results import Result
from batchlock.core.rows import Action, Update
from batchlock.send.settings import PreviousReason

NOT_ANSWERED = pytest.mark.parametrize("fault", [LOST, BROKEN], ids=lambda reply: reply.verdict)
ABOUT_STATE = replace(REFUSED, code="NOT_ALLOWED", about_state=True)
AUTOMATIC = lock_reply(None)
OTHER_LOCK = lock_reply("of another person", "999")


@NOT_ANSWERED
@pytest.mark.parametrize(
    ("looks", "result", "code", "deletes"),
    [
        ([NO_LOCK], Result.UNLOCKED, "", 1),
        ([THROTTLED, NO_LOCK], Result.UNLOCKED, "", 1),
        ([HAS_OTHER_REASON], Result.UNLOCKED, "SUCCESS", 2),
        ([OTHER_LOCK], Result.REJECTED, "OTHER_LOCK", 1),
        ([LOST], Result.FAILED, "", 1),
        ([BROKEN], Result.FAILED, "", 1),
        ([REFUSED], Result.FAILED, "INVALID_DATA", 1),
        ([DENIED], Result.UNKNOWN, "", 1),
    ],
)
def test_a_look_follows_an_unlock_without_an_answer(
    tmp_path: Path, fault: Reply, looks: list[Reply], result: Result, code: str, deletes: int
) -> None:
    updates = updates_of(1, lock_id=None, action=Action.UNLOCK)
    api = ScriptedApi(deletes={2: [fault, ACCEPTED]}, lookups={2: [HAS_OTHER_REASON, *looks]})
    line = send(journal_of(tmp_path / "j", updates), api).lines[2]
    assert (line.result, line.previous_reason) == (result, "another reason")
    assert line.code == code
    assert api.rows("delete") == [2] * deletes


@NOT_ANSWERED
@pytest.mark.parametrize(
    ("last_look", "result"), [(NO_LOCK, Result.UNLOCKED), (HAS_OTHER_REASON, Result.FAILED)]
)
def test_an_unlock_without_any_answer_is_verified_once(
    tmp_path: Path, fault: Reply, last_look: Reply, result: Result
) -> None:
    updates = updates_of(1, lock_id=None, action=Action.UNLOCK)
    looks = [HAS_OTHER_REASON] * 3 + [last_look]
    api = ScriptedApi(deletes={2: [fault]}, lookups={2: looks})
    line = send(journal_of(tmp_path / "j", updates), api).lines[2]
    assert (line.result, line.attempts) == (result, 7)
    assert api.rows("delete") == [2] * 3


@NOT_ANSWERED
@pytest.mark.parametrize(
    ("looks", "result", "code", "posts"),
    [
        ([HAS_OUR_REASON], Result.LOCKED, "", 1),
        ([THROTTLED, HAS_OUR_REASON], Result.LOCKED, "", 1),
        ([NO_LOCK], Result.LOCKED, "SUCCESS", 2),
        ([REFUSED], Result.LOCKED, "SUCCESS", 2),  # Zoho refuses to lock a locked record
        ([HAS_OTHER_REASON], Result.REJECTED, "ALREADY_LOCKED", 1),
        ([AUTOMATIC], Result.REJECTED, "AUTOMATIC_LOCK", 1),
        ([LOST], Result.FAILED, "", 1),
        ([BROKEN], Result.FAILED, "", 1),
        ([DENIED], Result.UNKNOWN, "", 1),
    ],
)
def test_a_look_follows_a_lock_without_an_answer(
    tmp_path: Path, fault: Reply, looks: list[Reply], result: Result, code: str, posts: int
) -> None:
    updates = updates_of(1, lock_id=None, action=Action.LOCK)
    api = ScriptedApi(posts={2: [fault, LOCKED]}, lookups={2: looks})
    line = send(journal_of(tmp_path / "j", updates), api).lines[2]
    assert (line.result, line.code) == (result, code)
    assert api.rows("post") == [2] * posts


@NOT_ANSWERED
def test_a_lock_that_is_refused_after_a_lost_answer_is_in_doubt_when_nothing_shows_it(
    tmp_path: Path, fault: Reply
) -> None:
    updates = updates_of(1, lock_id=None, action=Action.LOCK)
    api = ScriptedApi(posts={2: [fault, ABOUT_STATE]}, lookups={2: [REFUSED]})
    line = send(journal_of(tmp_path / "j", updates), api).lines[2]
    assert (line.result, line.code) == (Result.FAILED, "NOT_ALLOWED")
    assert "may" in line.message


@NOT_ANSWERED
@pytest.mark.parametrize(
    ("last_look", "result"), [(HAS_OUR_REASON, Result.LOCKED), (NO_LOCK, Result.FAILED)]
)
def test_a_lock_without_any_answer_is_verified_once(
    tmp_path: Path, fault: Reply, last_look: Reply, result: Result
) -> None:
    updates = updates_of(1, lock_id=None, action=Action.LOCK)
    api = ScriptedApi(posts={2: [fault]}, lookups={2: [NO_LOCK, NO_LOCK, last_look]})
    line = send(journal_of(tmp_path / "j", updates), api).lines[2]
    assert (line.result, line.attempts) == (result, 6)
    assert api.rows("post") == [2] * 3


@NOT_ANSWERED
@pytest.mark.parametrize("other_id", ["777", "999"])
def test_a_lost_change_of_the_reason_of_a_lock_that_stood_there_is_no_new_lock(
    tmp_path: Path, fault: Reply, other_id: str
) -> None:
    """The lock was made by somebody else within the run, so only its id shows whose it is."""
    updates = updates_of(1, lock_id=None, action=Action.LOCK)
    before, after = lock_reply("another reason", other_id), lock_reply("our reason", other_id)
    api = ScriptedApi(posts={2: [ABOUT_STATE]}, puts={2: [fault]}, lookups={2: [before, after]})
    line = send(journal_of(tmp_path / "j", updates, changes_reasons=True), api).lines[2]
    assert (line.result, line.previous_reason) == (Result.UPDATED, "another reason")


@pytest.mark.parametrize(
    ("action", "kind"), [(Action.UNLOCK, "delete"), (Action.UPDATE, "put"), (Action.LOCK, "put")]
)
@pytest.mark.parametrize("setting", [PreviousReason.AUTO, PreviousReason.NEVER])
def test_what_a_look_has_shown_is_stored_before_the_lock_is_changed(
    tmp_path: Path, action: Action, kind: str, setting: PreviousReason
) -> None:
    path = journal_of(
        tmp_path / "j", updates_of(3, lock_id=None, action=action), changes_reasons=True
    )
    stored: dict[int, tuple[str, str, str | None]] = {}

    def read(update: Update) -> None:
        if api.calls[-1][0] == kind:
            with closing(sqlite3.connect(path)) as reader:
                stored[update.row] = reader.execute(
                    "SELECT status, changed_lock_id, previous_reason FROM progress WHERE row = ?",
                    (update.row,),
                ).fetchone()

    api = ScriptedApi(posts={row: [ABOUT_STATE] for row in (2, 3, 4)}, on_call=read)
    assert send(path, api, previous_reason=setting).error is None
    reason = "another reason" if setting is PreviousReason.AUTO else None
    assert stored == dict.fromkeys((2, 3, 4), ("sending", "777", reason))
