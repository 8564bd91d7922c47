"""Files made like the exports, backups and Bulk Read results of Zoho, in three forms of titles."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.plans import plan_of_file
from support.tables import csv_text, refusal, write_text

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.reading import FieldSource, Origin
from batchlock.core.results import Result
from batchlock.core.rows import Field

# Raised to 1,000 by hand: the number changes nothing but the time.
ROWS = 12
_ORG = 5843104_000000_425565

ENGLISH = {"id": "Record Id", "owner": "Deal Owner", "name": "Deal Name", "made": "Created By"}
SPANISH = {
    "id": "ID de registro",
    "owner": "Propietario de Trato",
    "name": "Nombre de Trato",
    "made": "Creado por",
}
RENAMED = {**ENGLISH, "owner": "Students Pipeline Owner", "name": "Students Pipeline Name"}


def export(
    titles: Mapping[str, str], *, reason: bool = True, id_suffix: str = ".id", locked: bool = True
) -> str:
    """Return a list export; backups until about 2020 have lookups that end in ` Id`."""
    header = [
        *(titles["id"], titles["owner"] + id_suffix, titles["owner"], titles["name"]),
        *("Closing Date", titles["made"] + id_suffix, titles["made"], "Created Time", "Amount"),
    ]
    rows = [
        [
            *(f"zcrm_{_ORG + number * 7}", f"zcrm_{_ORG + 9}", "Anna Berg", f"Big deal {number}"),
            *("2026-03-01", f"zcrm_{_ORG + 9}", "Anna Berg", "2026-03-01 10:00:00", "100.50"),
        ]
        for number in range(ROWS)
    ]
    if locked:
        header.append("Locked")
        for row in rows:
            row.append("true")
    if reason:
        header.append("Locked Reason")
        for number, row in enumerate(rows):
            row.append(f"Frozen for audit {number}")
    return csv_text(header, *rows)


def sources(path: Path, **options: object) -> dict[Field, FieldSource]:
    """Plan a file of which all rows can be sent, and return where each field comes from."""
    with plan_of_file(path, **options) as journal:
        assert journal.counts()[Result.NOT_SENT] == ROWS
        assert [*journal.reading.notes] == []
        return {source.field: source for source in journal.reading.fields}


@pytest.mark.parametrize(
    "name",
    [
        "Deals_2026_09_10.csv",
        "Deals_2026_09_10 (1).csv",
        "Deals_001.csv",
        "Potentials_001.csv",
        "Deals_2026_09_10-results-20260910-101500-1f3a.csv",
    ],
)
def test_the_module_is_known_when_name_and_owner_agree(tmp_path: Path, name: str) -> None:
    fields = sources(write_text(tmp_path, export(ENGLISH), name))
    assert fields[Field.MODULE] == FieldSource(
        field=Field.MODULE, origin=Origin.FILE, value="Deals"
    )
    assert fields[Field.RECORD_ID].title == "Record Id"
    assert fields[Field.LOCK_ID].origin is Origin.LOOKUP
    assert fields[Field.REASON].title == "Locked Reason"


def test_a_backup_of_2020_has_other_titles_for_its_lookups(tmp_path: Path) -> None:
    text = export({**ENGLISH, "owner": "Potential Owner"}, id_suffix=" Id")
    fields = sources(write_text(tmp_path, text, "Potentials_001.csv"))
    assert fields[Field.MODULE].value == "Deals"


@pytest.mark.parametrize(
    ("name", "titles", "because"),
    [
        ("deals-export.csv", ENGLISH, 'The column "Deal Owner" is one of the module Deals. If all'),
        (
            "Deals_2026_09_10.csv",
            SPANISH,
            "The name of the file is that of an export of Deals. If all rows are Deals",
        ),
        ("Deals_001.csv", RENAMED, "The name of the file is that of an export of Deals. If all"),
    ],
)
def test_name_or_owner_alone_only_propose_the_module(
    tmp_path: Path, name: str, titles: Mapping[str, str], because: str
) -> None:
    path = write_text(tmp_path, export(titles), name)
    message = refusal(path)
    assert "no column for the module. " in message
    assert because in message
    assert message.endswith("add --module Deals.")
    assert "--column" not in message
    fields = sources(path, constants={"module": "Deals"})
    assert fields[Field.MODULE].origin is Origin.OPTION
    if titles is SPANISH:
        assert fields[Field.RECORD_ID].origin is Origin.VALUES
        assert fields[Field.RECORD_ID].title == "ID de registro"


@pytest.mark.parametrize(
    ("name", "titles", "expected"),
    [
        ("Tratos_2026_09_10.csv", SPANISH, "If all rows belong to one module, add --module with"),
        (
            "Students_Pipelines_2026_09_10.csv",
            RENAMED,
            (
                'The column "Students Pipeline Owner" belongs to a module that your org has named '
                "itself; its API name does not change with that. Zoho shows API names under Setup"
            ),
        ),
        (
            "Leads_2026_09_10.csv",
            ENGLISH,
            (
                'The name of the file is that of an export of Leads, but the column "Deal Owner" '
                "is one of Deals. If all rows belong to one module, add --module with its API name"
            ),
        ),
    ],
)
def test_a_module_that_nothing_names_is_never_guessed(
    tmp_path: Path, name: str, titles: Mapping[str, str], expected: str
) -> None:
    path = write_text(tmp_path, export(titles), name)
    assert expected in refusal(path)
    assert sources(path, constants={"module": "Deals"})[Field.MODULE].value == "Deals"


@pytest.mark.parametrize("titles", [ENGLISH, SPANISH, RENAMED])
def test_no_column_of_an_export_is_proposed_for_the_reason(
    tmp_path: Path, titles: Mapping[str, str]
) -> None:
    path = write_text(tmp_path, export(titles, reason=False), "Deals_2026_09_10.csv")
    message = refusal(path)
    assert "the reason" in message
    assert "Deal Name" not in message.partition(". The columns are: ")[2].partition("Locked. ")[2]
    assert '--reason "TEXT", or name the column with --column reason="TITLE".' in message
    fields = sources(path, constants={"module": "Deals", "reason": "Year end"})
    assert fields[Field.REASON] == FieldSource(
        field=Field.REASON, origin=Origin.OPTION, value="Year end"
    )


def test_two_columns_of_ids_in_another_language_are_refused(tmp_path: Path) -> None:
    text = export(SPANISH, id_suffix=" ID")
    message = refusal(write_text(tmp_path, text), constants={Field.MODULE: "Deals"})
    assert (
        "more than one column fits the record id: ID de registro, Propietario de Trato ID, "
        "Creado por ID. Rename one of them, or name the right one with "
        '--column record_id="ID de registro".'
    ) in message


def test_a_column_that_is_just_called_id_has_a_rival_in_zohos_own_ids(tmp_path: Path) -> None:
    text = csv_text(
        ("ID de registro", "ID", "Reason"), (f"zcrm_{_ORG}", "4915112345678", "Year end")
    )
    message = refusal(write_text(tmp_path, text), constants={Field.MODULE: "Deals"})
    assert "more than one column fits the record id: ID, ID de registro." in message


@pytest.mark.parametrize(
    "entries",
    [
        {"5843104000000999001.csv": ""},
        {"Data/5843104000000999001.csv": "", "Data/": "", "__MACOSX/._a.csv": "x", "read me": ""},
    ],
)
def test_the_one_table_of_an_archive_is_read(tmp_path: Path, entries: dict[str, str]) -> None:
    rows = [(f"{_ORG + number}", "Big deal", "true") for number in range(ROWS)]
    text = csv_text(("Id", "Deal_Name", "Locked__s"), *rows)
    path = tmp_path / "5843104000000999001.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, text if name.endswith("1.csv") else content)
    with pytest.raises(UnreadableFile, match="The result of a Bulk Read does not say"):
        plan_of_file(path)
    with plan_of_file(path, constants={"module": "Deals", "reason": "Year end"}) as journal:
        assert journal.counts()[Result.NOT_SENT] == ROWS
        assert journal.reading.archive_member == "5843104000000999001.csv"
    assert not [*tmp_path.glob("*.partial")]


def test_the_name_in_the_archive_tells_the_module(tmp_path: Path) -> None:
    path = tmp_path / "Data_001.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Data/Potentials_001.csv", export(ENGLISH))
    assert sources(path)[Field.MODULE].value == "Deals"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["a.pdf", "b.zip"],
            "there is no text file or workbook in it. Name the file with the table.",
        ),
        (
            [f"{name}_001.csv" for name in ("Leads", "Deals", "Cases", "Tasks", "Notes", "Users")],
            (
                "is an archive of more than one table: Leads_001.csv, Deals_001.csv, "
                "Cases_001.csv, Tasks_001.csv, Notes_001.csv and 1 more. "
                "Unpack it, and use the one that is meant."
            ),
        ),
    ],
)
def test_another_archive_is_refused(tmp_path: Path, names: list[str], expected: str) -> None:
    path = tmp_path / "Data_001.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "Module,Record Id,Reason\n")
    with pytest.raises(UnreadableFile) as info:
        plan_of_file(path)
    assert str(info.value).endswith(expected)


def test_an_archive_that_grows_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.csv", b"Module,Record Id,Reason\n" + b"\n" * (20 << 20))
    with pytest.raises(UnreadableFile, match="far larger when it is unpacked than any table"):
        plan_of_file(path)


@pytest.mark.parametrize(
    ("constants", "expected"),
    [
        (
            {"module": "Deal"},
            '--module: "Deal" is not a module that can be locked. Did you mean "Deals"?',
        ),
        (
            {"module": "Bogus"},
            (
                '--module: "Bogus" is not a module that can be locked. These can: Accounts, Cases, '
                "Contacts, Deals, Invoices, Leads, Price_Books, Products, Purchase_Orders, Quotes, "
                "Sales_Orders, Solutions, Tasks, Vendors. If it is a custom module of your org, "
                "name its API name under input.custom_modules in the configuration."
            ),
        ),
        ({"module": " "}, "--module: the value is blank."),
        (
            {"reason": "n/a"},
            (
                '--reason: "n/a" says that there is no reason, and would be sent to every row as '
                "it stands. Type the reason."
            ),
        ),
        ({"reason": "#REF!"}, '--reason: "#REF!" is an error of a spreadsheet, or holds a'),
        ({"reason": "x" * 3001}, "has 3,001 characters, and Zoho takes 3,000"),
        (
            {"module": "Deals"},
            (
                "--module gives one value for all rows, but row 2 of the column Module has one "
                'already, "Leads". Leave --module out, or empty the column.'
            ),
        ),
    ],
)
def test_one_value_for_all_rows_must_be_a_value_of_a_row(
    tmp_path: Path, constants: dict[str, str], expected: str
) -> None:
    path = write_text(tmp_path, csv_text(("Module", "Record Id", "Reason"), ("Leads", "1", "")))
    with pytest.raises(UsageError) as info:
        plan_of_file(path, constants=constants)
    assert expected in str(info.value)


def test_a_blank_column_does_not_contradict_the_one_value(tmp_path: Path) -> None:
    rows = [("\xa0", f"{_ORG + number}", "why") for number in range(ROWS)]
    path = write_text(tmp_path, csv_text(("Module", "Record Id", "Reason"), *rows))
    assert sources(path, constants={"module": "sales orders"})[Field.MODULE].value == "Sales_Orders"
