"""The column Action, and the action of a command for all rows."""

from pathlib import Path

import openpyxl
import pytest
from support.plans import plan_of_file
from support.tables import HEADER, csv_text, write_text

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.results import DONE, Result
from batchlock.core.rows import Action, Update, row_checksum
from batchlock.store.journal import Journal

WITH_ACTION = (*HEADER, "Action")
RECORD, LOCK = 5843104000000425565, 5843104000000574404


def row(
    number: int, action: object = "", *, lock: bool = True, reason: str = "why"
) -> tuple[str, ...]:
    return (
        "Deals",
        str(RECORD + 7 * number),
        str(LOCK + 7 * number) if lock else "",
        reason,
        str(action),
    )


def write(folder: Path, *rows: tuple[str, ...], header: tuple[str, ...] = WITH_ACTION) -> Path:
    return write_text(folder, csv_text(header, *(one[: len(header)] for one in rows)))


def updates(journal: Journal) -> list[Update]:
    return journal.commit_batch([], claim=10)


def notes(journal: Journal) -> dict[str, str]:
    return {note.code: note.message for note in journal.reading.notes}


def problems(journal: Journal) -> list[tuple[int, str, str]]:
    return [(one.row, one.column, one.code) for one in journal.problems()]


def test_the_column_says_the_action_of_each_row(tmp_path: Path) -> None:
    path = write(tmp_path, row(0, " Lock "), row(1, "UNLOCK"), row(2, "update"), row(3))
    with plan_of_file(path) as journal:
        assert problems(journal) == []
        assert [(one.action, one.lock_id, one.reason) for one in updates(journal)] == [
            (Action.LOCK, None, "why"),
            (Action.UNLOCK, str(LOCK + 7), ""),
            (Action.UPDATE, str(LOCK + 14), "why"),
            (Action.UPDATE, str(LOCK + 21), "why"),
        ]
        assert journal.info.action == "mixed"
        assert [one.title for one in journal.reading.fields][-1] == "Action"


@pytest.mark.parametrize("action", ["lock", "unlock"])
def test_the_command_gives_the_action_of_all_rows(tmp_path: Path, action: str) -> None:
    path = write(tmp_path, row(0), row(1, action))
    with plan_of_file(path, constants={"action": action}) as journal:
        assert {one.action for one in updates(journal)} == {Action(action)}
        assert journal.info.action == action


def test_a_row_with_another_action_than_the_command_ends_it(tmp_path: Path) -> None:
    path = write(tmp_path, row(0), row(1, "unlock"))
    with pytest.raises(
        UsageError, match=r'row 3 says "unlock" in the column "Action".*`batchlock '
    ):
        plan_of_file(path, constants={"action": "lock"})


def test_an_unknown_word_among_actions_is_a_problem(tmp_path: Path) -> None:
    with plan_of_file(write(tmp_path, row(0, "lock"), row(1, "relock"))) as journal:
        assert problems(journal) == [(3, "Action", "unknown_action")]
        assert journal.info.action == "lock"


def test_a_column_of_other_words_is_not_used(tmp_path: Path) -> None:
    with plan_of_file(write(tmp_path, row(0, "Call"), row(1))) as journal:
        assert [one.action for one in updates(journal)] == [Action.UPDATE] * 2
        assert "is not used" in notes(journal)["action_not_used"]
        assert all(one.field != "action" for one in journal.reading.fields)


def test_a_column_that_the_user_names_must_fit(tmp_path: Path) -> None:
    path = write(tmp_path, row(0, "Call"), header=(*HEADER, "To do"))
    with plan_of_file(path, explicit_columns={"action": "To do"}) as journal:
        assert problems(journal) == [(2, "To do", "unknown_action")]
    with pytest.raises(UsageError, match='there is no column "Task" for the action'):
        plan_of_file(path, explicit_columns={"action": "Task"})


def test_the_first_action_may_stand_in_the_last_row(tmp_path: Path) -> None:
    path = write(tmp_path, *(row(n, "Call") for n in range(3)), row(3, "unlock"))
    with plan_of_file(path) as journal:
        assert problems(journal) == [(n, "Action", "unknown_action") for n in (2, 3, 4)]


def test_cells_that_are_not_calculated_do_not_make_the_column_another_one(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([*WITH_ACTION])
    sheet.append([*row(0)[:4], '=IF(1,"unlock","lock")'])
    book.save(path)
    with plan_of_file(path) as journal:
        assert problems(journal) == [(2, "Action", "bad_value")]


def test_a_workbook_of_unlocks_needs_no_reason_and_no_lock_id(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Module", "Record Id", "Action"])
    sheet.append(["Deals", str(RECORD), "unlock"])
    book.save(path)
    with plan_of_file(path) as journal:
        assert [(one.action, one.lock_id) for one in updates(journal)] == [(Action.UNLOCK, None)]


def test_locks_need_no_lock_ids_where_these_are_not_looked_up(tmp_path: Path) -> None:
    path = write_text(
        tmp_path, csv_text(("Module", "Record Id", "Reason"), ("Deals", str(RECORD), "why"))
    )
    with plan_of_file(path, constants={"action": "lock"}, lookup_lock_ids=False) as journal:
        assert problems(journal) == []
    with pytest.raises(UnreadableFile, match="no column for the lock id"):
        plan_of_file(path, lookup_lock_ids=False)
    header = (*HEADER, "Action")
    rows = [row(n, action, lock=False) for n, action in enumerate(DONE)]
    path = write_text(tmp_path, csv_text(header, *rows))
    with plan_of_file(path, lookup_lock_ids=False) as journal:
        assert problems(journal) == [
            (2, "Lock Id", "missing_value"),
            (4, "Lock Id", "missing_value"),
        ]


def test_two_columns_of_actions_are_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text((*WITH_ACTION, "action"), (*row(0, "lock"), "lock")))
    with pytest.raises(UnreadableFile, match="more than one column fits the action"):
        plan_of_file(path)


def test_lock_ids_of_locks_are_not_used(tmp_path: Path) -> None:
    path = write(tmp_path, row(0), row(1, lock=False), row(2))
    with plan_of_file(path, constants={"action": "lock"}) as journal:
        assert [one.lock_id for one in updates(journal)] == [None] * 3
        assert "2 rows" in notes(journal)["lock_ids_not_used"]
        assert all(one.field != "lock_id" for one in journal.reading.fields)


@pytest.mark.parametrize("constants", [{"action": "unlock"}, {}])
def test_a_file_of_unlocks_needs_no_reason(tmp_path: Path, constants: dict[str, str]) -> None:
    header = ("Module", "Record Id", "Action")
    rows = [("Deals", str(RECORD + 7 * n), "unlock") for n in range(2)]
    with plan_of_file(write_text(tmp_path, csv_text(header, *rows)), constants=constants) as plan:
        assert [(one.action, one.reason) for one in updates(plan)] == [(Action.UNLOCK, "")] * 2


def test_a_mixed_file_needs_reasons(tmp_path: Path) -> None:
    header = ("Module", "Record Id", "Action")
    rows = [("Deals", str(RECORD), "unlock"), ("Deals", str(RECORD + 7), "")]
    with pytest.raises(UnreadableFile, match="no column for the reason"):
        plan_of_file(write_text(tmp_path, csv_text(header, *rows)))


def test_a_reason_that_an_unlock_does_not_use_is_not_checked(tmp_path: Path) -> None:
    with plan_of_file(write(tmp_path, row(0, "unlock", reason="n/a"), row(1))) as journal:
        assert problems(journal) == []


def test_a_reason_for_all_rows_is_refused_for_unlocks(tmp_path: Path) -> None:
    path = write(tmp_path, row(0), header=HEADER[:3])
    with pytest.raises(UsageError, match="an unlock has no reason"):
        plan_of_file(path, constants={"action": "unlock", "reason": "why"})


def test_different_actions_on_a_record_are_a_conflict(tmp_path: Path) -> None:
    with plan_of_file(write(tmp_path, row(0, "lock"), row(0, "unlock"), row(1))) as journal:
        assert problems(journal) == [(n, "Action", "conflict") for n in (2, 3)]
        assert "ask for different actions" in next(journal.problems()).message


def test_a_record_that_is_not_locked_can_only_be_locked(tmp_path: Path) -> None:
    header = (*WITH_ACTION, "Locked")
    rows = [(*row(n, action), "false") for n, action in enumerate(DONE)]
    with plan_of_file(write_text(tmp_path, csv_text(header, *rows))) as journal:
        assert problems(journal) == [(2, "Locked", "not_locked"), (4, "Locked", "not_locked")]
        assert "no lock to remove" in [*journal.problems()][1].message


def results_of(folder: Path, action: str, *results: str) -> Path:
    """Write the results of a command, in which the row check of each row is that of `action`."""
    rows = [row(n) for n in range(len(results))]
    checksums = [
        row_checksum(
            one[0],
            one[1],
            None if action == "lock" else one[2],
            "" if action == "unlock" else one[3],
            action,
        )
        for one in rows
    ]
    lines = [
        (*one[:4], result, checksum)
        for one, result, checksum in zip(rows, results, checksums, strict=True)
    ]
    return write_text(folder, csv_text((*HEADER, "Result", "Row check"), *lines))


@pytest.mark.parametrize(("action", "done"), [("lock", "locked"), ("unlock", "unlocked")])
def test_rows_that_are_done_are_left_alone(tmp_path: Path, action: str, done: str) -> None:
    path = results_of(tmp_path, action, done, "unchanged", "rejected")
    with plan_of_file(path, constants={"action": action}) as journal:
        counts = journal.counts()
        assert (counts[Result.UNCHANGED], counts[Result.NOT_SENT]) == (2, 1)
        assert "results_of_other_action" not in notes(journal)


@pytest.mark.parametrize("action", ["lock", "unlock"])
def test_results_of_another_command_are_not_sent_as_updates(tmp_path: Path, action: str) -> None:
    path = results_of(tmp_path, action, "rejected")
    with pytest.raises(UsageError, match=f"Row 2 is from the results of an? {action}"):
        plan_of_file(path)


def test_results_of_an_unlock_can_be_locked_again_with_a_note(tmp_path: Path) -> None:
    path = results_of(tmp_path, "unlock", "unlocked", "rejected")
    with plan_of_file(path, constants={"action": "lock"}) as journal:
        assert journal.counts()[Result.NOT_SENT] == 2
        assert notes(journal)["results_of_other_action"].startswith("Row 2 is done by")
