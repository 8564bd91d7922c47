"""A process that is killed between a change of a lock and its record, and the next session."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.delivery import (
    HAS_OTHER_REASON,
    HAS_OUR_REASON,
    NO_LOCK,
    ScriptedApi,
    journal_of,
    lock_reply,
    send,
    update_of,
)
from support.run_info import run_info

from batchlock.core.reply import Reply
from batchlock.core.results import Result
from batchlock.core.rows import Action, Expected, LockId, Update
from batchlock.store.journal import Journal, copy_undone_rows, copy_unsettled_rows

UPDATE, LOCK, UNLOCK = (
    update_of(2, lock_id=None, action=action)
    for action in (Action.UPDATE, Action.LOCK, Action.UNLOCK)
)
OTHER_LOCK = lock_reply("of another person", "999")


class Killed(Exception):
    """Ends a session where a kill would end it: after the call, before its record."""


def killed(path: Path, update: Update, look: Reply = HAS_OTHER_REASON) -> Path:
    """Send a row in a session that ends within the change of the lock."""
    kill = {2: [Killed()]}
    delivery = send(
        journal_of(path, [update]),
        ScriptedApi(puts=kill, posts=kill, deletes=kill, lookups={2: [look]}),
    )
    assert isinstance(delivery.error, Killed)
    assert delivery.results == [Result.UNKNOWN]
    return path


@pytest.mark.parametrize(
    ("update", "look", "result", "previous", "changes"),
    [
        (UNLOCK, NO_LOCK, Result.UNLOCKED, "another reason", []),
        (UNLOCK, HAS_OTHER_REASON, Result.UNLOCKED, "another reason", ["delete"]),
        (UNLOCK, OTHER_LOCK, Result.REJECTED, "another reason", []),
        (UPDATE, HAS_OUR_REASON, Result.UPDATED, "another reason", []),
        (UPDATE, HAS_OTHER_REASON, Result.UPDATED, "another reason", ["put"]),
        (UPDATE, OTHER_LOCK, Result.UPDATED, "of another person", ["put"]),
        (UPDATE, NO_LOCK, Result.REJECTED, "another reason", []),
        (LOCK, HAS_OUR_REASON, Result.LOCKED, None, []),
        (LOCK, NO_LOCK, Result.LOCKED, None, ["post"]),
        (LOCK, OTHER_LOCK, Result.REJECTED, "of another person", []),
    ],
)
def test_the_next_session_settles_a_row_that_was_killed_in_its_change(
    tmp_path: Path,
    update: Update,
    look: Reply,
    result: Result,
    previous: str | None,
    changes: list[str],
) -> None:
    path = killed(tmp_path / "j", update)
    api = ScriptedApi(lookups={2: [look]})
    line = send(path, api).lines[2]
    assert (line.result, line.previous_reason) == (result, previous)
    assert [kind for kind, _, _ in api.calls] == ["look-up", *changes]


@pytest.mark.parametrize("by_retry", [False, True])
def test_an_unlock_that_was_killed_before_its_record_can_be_undone(
    tmp_path: Path, by_retry: bool
) -> None:
    path = killed(tmp_path / "j", UNLOCK)
    if by_retry:
        with Journal.open(path) as journal:
            path = tmp_path / "retry"
            copy_unsettled_rows(journal, path, run_info())
    send(path, ScriptedApi(lookups={2: [NO_LOCK]}))
    with Journal.open(path) as journal:
        copy_undone_rows(journal, tmp_path / "undo", run_info())
    with Journal.open(tmp_path / "undo") as undo:
        (update,) = undo.commit_batch([], claim=9)
        undo.commit_batch([], released=[2])
    expected = Expected(None, None)
    assert update == replace(LOCK, reason="another reason", expected=expected)
    line = send(tmp_path / "undo", ScriptedApi(lookups={2: [NO_LOCK]})).lines[2]
    assert line.result is Result.LOCKED


@pytest.mark.parametrize(
    ("update", "before", "after", "result"),
    [
        (UPDATE, lock_reply("new"), HAS_OUR_REASON, Result.UPDATED),
        (UNLOCK, lock_reply("new"), NO_LOCK, Result.UNLOCKED),
        (LOCK, NO_LOCK, HAS_OUR_REASON, Result.LOCKED),
    ],
    ids=["update", "unlock", "lock"],
)
@pytest.mark.parametrize("is_changed", [False, True])
def test_an_undo_that_was_killed_in_a_change_is_completed(
    tmp_path: Path, update: Update, before: Reply, after: Reply, result: Result, is_changed: bool
) -> None:
    expected = Expected(None, None) if before is NO_LOCK else Expected(LockId("777"), "new")
    lock_id = None if before is NO_LOCK else LockId("777")
    path = killed(tmp_path / "j", replace(update, lock_id=lock_id, expected=expected), before)
    api = ScriptedApi(lookups={2: [after if is_changed else before]})
    line = send(path, api).lines[2]
    assert line.result is result
    assert line.previous_reason == (None if before is NO_LOCK else "new")
    assert len(api.calls) == (1 if is_changed else 2)


def test_a_row_that_was_not_sent_keeps_nothing_of_its_look(tmp_path: Path) -> None:
    """The run ends between the look and the change; by the next session the lock is another one."""
    path = journal_of(tmp_path / "j", [UNLOCK])
    delivery = send(path, ScriptedApi(), cancel_after=0.12)
    assert delivery.results == [Result.NOT_SENT]
    assert delivery.lines[2].previous_reason is None
    api = ScriptedApi(lookups={2: [OTHER_LOCK]})
    line = send(path, api).lines[2]
    assert (line.result, line.previous_reason) == (Result.UNLOCKED, "of another person")
    assert api.calls[-1] == ("delete", 2, "999")
