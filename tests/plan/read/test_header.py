from pathlib import Path

import pytest
from support.tables import (
    HEADER,
    LOCK_ID,
    MODULE,
    REASON,
    RECORD_ID,
    ROW,
    csv_text,
    load,
    refusal,
    usage_error,
    write_text,
)


@pytest.mark.parametrize(
    "titles",
    [
        ("MODULE", "record_id", "lock-id", "reason"),
        ("Module Name", "ID of Record", "Locking ID", "Locked Reason"),
        ("module api name", "Id", "Record Locking Id", "Locked_Reason__s"),
        (" Module\xa0", "RecordID", "LockId", "REASON "),
    ],
)
def test_titles_match_in_every_spelling(tmp_path: Path, titles: tuple[str, ...]) -> None:
    loaded = load(write_text(tmp_path, csv_text(titles, ROW)))
    assert loaded.table.fields == {MODULE: 0, RECORD_ID: 1, LOCK_ID: 2, REASON: 3}


def test_the_more_exact_title_wins(tmp_path: Path) -> None:
    titles = ("ID", "Record Id", "Module Name", "Module", "Locked Reason", "Reason")
    loaded = load(write_text(tmp_path, csv_text(titles, titles)))
    assert loaded.table.fields == {RECORD_ID: 1, MODULE: 3, REASON: 5}


@pytest.mark.parametrize(
    ("titles", "fitting", "remedy"),
    [
        (
            ("Module", "Record Id", "RECORD_ID", "Reason"),
            "the record id: Record Id, RECORD_ID",
            'Rename one of them, or name the right one with --column record_id="Record Id".',
        ),
        (
            ("Module", "Id", "Reason", "Reason"),
            "the reason: Reason, Reason",
            "Rename one of them.",
        ),
    ],
)
def test_two_equally_good_titles_are_refused(
    tmp_path: Path, titles: tuple[str, ...], fitting: str, remedy: str
) -> None:
    message = refusal(write_text(tmp_path, csv_text(titles, titles)))
    assert message == f"orders.csv: more than one column fits {fitting}. {remedy}"


def test_a_missing_column_is_reported_with_the_nearest_title(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(("Module", "ID-Nr", "Reason"), ROW[:3]))
    assert refusal(path) == (
        "orders.csv: no column for the record id. The columns are: Module, ID-Nr, Reason. "
        'Name it with --column record_id="ID-Nr". '
        '"ID-Nr", for the record id, holds "5843104000000425565".'
    )


def test_several_missing_columns_are_reported_together(tmp_path: Path) -> None:
    row = ("Leads", ROW[1], "Under review")
    path = write_text(tmp_path, csv_text(("Modul", "Nummer", "Grund"), row))
    message = refusal(path)
    assert "no column for the module, the record id and the reason" in message
    assert (
        'Name them with --column module="Modul" --column record_id="Nummer" '
        '--column reason="Grund". "Modul", for the module, holds "Leads".'
    ) in message


def test_a_message_names_only_some_of_many_long_titles(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text([f"{i} {'long ' * 30}" for i in range(60)]))
    message = refusal(path)
    assert "and 20 more" in message
    assert len(message) < 3_000


def test_the_header_is_looked_for_in_the_first_20_rows(tmp_path: Path) -> None:
    above = [("Locks to renew",), *[()] * 18]
    assert list(load(write_text(tmp_path, csv_text(*above, HEADER, ROW))).rows) == [21]
    message = refusal(write_text(tmp_path, csv_text((), *above, HEADER, ROW)))
    assert message == (
        "orders.csv: no column for the module, the record id and the reason in the first 20 "
        "rows, where titles are looked for. They stand in row 21. Delete the rows above them and "
        "save the file."
    )


def test_a_row_with_some_of_the_titles_is_not_the_header(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(("Reason", "to renew"), HEADER, ROW))
    assert load(path).rows == {3: ROW}


def test_the_lock_id_column_may_be_missing_only_when_lock_ids_are_looked_up(
    tmp_path: Path,
) -> None:
    path = write_text(tmp_path, csv_text(("Module", "Record Id", "Reason"), ROW[:3]))
    assert LOCK_ID not in load(path).table.fields
    assert "no column for the lock id" in refusal(path, lock_id_needed=True)


def test_additional_titles_go_before_the_built_in_ones(tmp_path: Path) -> None:
    columns = {"record_id": ("ID-Nr", "Kennung"), "reason": ("Grund",)}
    path = write_text(tmp_path, csv_text(("Module", "Id", "kennung", "Reason"), ROW))
    fields = load(path, columns=columns).table.fields
    assert fields == {MODULE: 0, RECORD_ID: 2, REASON: 3}


def test_a_title_named_for_this_file_replaces_all_others(tmp_path: Path) -> None:
    path = write_text(
        tmp_path, csv_text(("Module", "Record Id", "ID", "Reason", "Lock"), (*ROW, "1"))
    )
    explicit_columns = {"record_id": "id", "lock_id": "Lock"}
    fields = load(path, explicit_columns=explicit_columns).table.fields
    assert fields == {MODULE: 0, RECORD_ID: 2, REASON: 3, LOCK_ID: 4}


def test_the_exact_spelling_decides_between_two_similar_titles(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(("Module", "Record Id", "RECORD_ID", "Reason"), ROW))
    assert load(path, explicit_columns={"record_id": "RECORD_ID"}).table.fields[RECORD_ID] == 2


def test_a_column_named_for_one_field_serves_no_other(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(("Module", "Id", "Text"), ROW[:3]))
    assert "no column for the record id" in refusal(path, explicit_columns={"reason": "Id"})


@pytest.mark.parametrize(
    ("explicit_columns", "expected"),
    [
        ({"reason": "Raeson"}, 'there is no column "Raeson" for the reason. The columns are: '),
        ({"lock_id": "zzz"}, 'there is no column "zzz" for the lock id'),
        ({"rec": "Id"}, "The fields are: module, record_id, lock_id, reason"),
        ({"lock_id": "Id", "reason": "Id"}, 'The column "Id" is named for more than one field'),
    ],
)
def test_a_wrong_column_name_is_refused(
    tmp_path: Path, explicit_columns: dict[str, str], expected: str
) -> None:
    path = write_text(tmp_path, csv_text(("Module", "Record Id", "Reason"), ROW[:3]))
    assert expected in usage_error(path, explicit_columns=explicit_columns)


def test_the_nearest_title_is_offered_for_one_that_is_not_there(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(("Module", "Record Id", "Grund der Sperre"), ROW[:3]))
    message = usage_error(path, explicit_columns={"reason": "Grund der Spere"})
    assert message.endswith('Did you mean "Grund der Sperre"?')


@pytest.mark.parametrize(
    "titles",
    [
        ("Module*", "Record Id *", "Lock Id:", "Reason :"),
        ("Module", "Record Id", "Record Lock Id", "Reason"),
        ("Module:", "Record Id\uff1a", "RECORD_LOCK_ID", "Reason*:"),
    ],
)
def test_the_marks_of_forms_at_the_end_of_a_title_do_not_count(
    tmp_path: Path, titles: tuple[str, ...]
) -> None:
    loaded = load(write_text(tmp_path, csv_text(titles, ROW)))
    assert loaded.table.fields == {MODULE: 0, RECORD_ID: 1, LOCK_ID: 2, REASON: 3}


@pytest.mark.parametrize(
    ("title", "cells"),
    [
        ("Raeson", ("true", "false")),
        ("Reasons", ("2026-03-01", "2026-03-02 10:00:00")),
        ("Reason code", ("12", "13.5")),
        ("Lock", ("5843104000000574404", "5843104000000574405")),
        ("Reason module", ("Leads", "Deals")),
        ("Reason For Loss__s", ("Too expensive", "Other supplier")),
        ("Lost Reason", ("Too expensive", "Other supplier")),
        ("Season", ("Spring", "Winter")),
        ("Region", ("Europe", "Asia")),
        ("Description", ("A large order", "A small order")),
        ("Deal Name", ("Renewal of A", "Renewal of B")),
    ],
)
def test_no_column_is_proposed_whose_cells_do_not_fit(
    tmp_path: Path, title: str, cells: tuple[str, ...]
) -> None:
    rows = [("Leads", f"584310400000042556{n}", cell) for n, cell in enumerate(cells)]
    message = refusal(write_text(tmp_path, csv_text(("Module", "Record Id", title), *rows)))
    assert message.endswith(
        'Add a column Reason, or give one reason for all rows with --reason "TEXT", or name the '
        'column with --column reason="TITLE".'
    )


def test_a_name_is_not_proposed_for_the_module(tmp_path: Path) -> None:
    rows = [("Renewal A", f"584310400000042556{n}", "Frozen for audit") for n in range(3)]
    message = refusal(write_text(tmp_path, csv_text(("Module 1", "Record Id", "Reason"), *rows)))
    assert "--column" not in message
    assert "add --module with its API name, such as --module Deals. Zoho shows" in message


def test_a_proposed_column_is_shown_with_two_of_its_values(tmp_path: Path) -> None:
    rows = [(f"584310400000042556{n}", "Leads", f"Frozen for audit {n}") for n in range(3)]
    message = refusal(write_text(tmp_path, csv_text(("Nr", "Typ", "Anmerkung"), *rows)))
    assert (
        'Name them with --column module="Typ" --column record_id="Nr" --column reason="Anmerkung". '
        '"Typ", for the module, holds "Leads". '
        '"Nr", for the record id, holds "5843104000000425560", "5843104000000425561". '
        '"Anmerkung", for the reason, holds "Frozen for audit 0", "Frozen for audit 1".'
    ) in message


@pytest.mark.parametrize("title", ["Raeson", "Reasons", "Reason for lock", "Locked_Reasn__s"])
def test_a_title_with_a_typing_mistake_is_proposed_for_the_reason(
    tmp_path: Path, title: str
) -> None:
    rows = [("Leads", f"584310400000042556{n}", "Audit") for n in range(3)]
    message = refusal(write_text(tmp_path, csv_text(("Module", "Record Id", title), *rows)))
    assert f'--column reason="{title}"' in message


@pytest.mark.parametrize(
    ("title", "cell"),
    [
        ("Telefon", "5551234567"),
        ("Bestellung", "20260312001"),
        ("Kontakt.id", "zcrm_5843104000000574404"),
        ("Anzahl", "12"),
    ],
)
def test_no_column_is_proposed_for_the_record_id_whose_cells_are_no_ids_of_records(
    tmp_path: Path, title: str, cell: str
) -> None:
    rows = [("Leads", cell, "Frozen for audit")] * 2
    message = refusal(write_text(tmp_path, csv_text(("Module", title, "Reason"), *rows)))
    assert 'Name it with --column record_id="TITLE".' in message


def test_no_column_is_proposed_by_its_cells_when_there_are_none(tmp_path: Path) -> None:
    message = refusal(write_text(tmp_path, csv_text(("Module", "Menge", "Reason"))))
    assert 'Name it with --column record_id="TITLE".' in message
