"""Plan files in a reader process: what reaches the journal, and what is refused."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from support.reading import (
    HEADER,
    SECOND_ROW,
    VALID_ROW,
    plan_in_process,
    planned_updates,
    request_for,
    text_file,
)

from batchlock.core.errors import BatchlockError, UnreadableFile, UsageError
from batchlock.core.results import Result
from batchlock.plan import child
from batchlock.plan.child_main import ReadFailure, ReadRequest
from batchlock.store.journal import Journal

pytestmark = pytest.mark.usefixtures("measured")


def refusal(request: ReadRequest) -> BatchlockError:
    """Return why there is no plan; nothing of it may stay in the folder."""
    with pytest.raises(BatchlockError) as caught:
        plan_in_process(request)
    assert list(request.journal.parent.iterdir()) == []
    return caught.value


def test_every_row_and_every_problem_is_in_the_journal(tmp_path: Path) -> None:
    file = text_file(
        tmp_path,
        HEADER
        + VALID_ROW
        + "\n"
        + SECOND_ROW
        + VALID_ROW
        + "Ledas,5.8431E+18,5843104000000425779,x\n"
        + "Leads,5843104000000425570,5843104000000425779,\n",
    )
    request = request_for(file)
    plan_in_process(request)
    assert [path.name for path in request.journal.parent.iterdir()] == ["run.journal"]
    with Journal.open(request.journal) as journal:
        assert journal.counts() == dict.fromkeys(Result, 0) | {
            Result.NOT_SENT: 2,
            Result.DUPLICATE: 1,
            Result.INVALID: 2,
        }
        assert [(one.row, one.column, one.code) for one in journal.problems()] == [
            (6, "Module", "unknown_module"),
            (6, "Record Id", "lossy_number"),
            (7, "Reason", "missing_value"),
        ]
        info = journal.info
        assert info.titles == ("Module", "Record Id", "Lock Id", "Reason")
        assert (info.encoding, info.delimiter, info.sheet) == ("utf-8", ",", None)
        assert info == replace(
            request.run_info,
            titles=info.titles,
            encoding=info.encoding,
            delimiter=info.delimiter,
        )
        assert [line.row for line in journal.result_rows()] == [2, 4, 5, 6, 7]
        updates = journal.commit_batch([], claim=10)
    assert [(one.row, one.module, one.record_id, one.lock_id, one.reason) for one in updates] == [
        (2, "Leads", "5843104000000425565", "5843104000000425777", "Under review"),
        (4, "Sales_Orders", "5843104000000425566", "5843104000000425778", "Ärger"),
    ]


def test_a_workbook_is_planned_like_a_text_file(tmp_path: Path) -> None:
    file = tmp_path / "in.xlsx"
    with xlsxwriter.Workbook(file) as workbook:
        sheet = workbook.add_worksheet("Locks")
        for row, line in enumerate((HEADER, VALID_ROW, SECOND_ROW)):
            sheet.write_row(row, 0, line.rstrip().split(","))
    request = request_for(file)
    plan_in_process(request)
    with Journal.open(request.journal) as journal:
        assert journal.counts()[Result.NOT_SENT] == 2
        assert journal.info.sheet == "Locks"


def test_a_file_without_rows_is_a_plan_without_rows(tmp_path: Path) -> None:
    request = request_for(text_file(tmp_path, HEADER))
    plan_in_process(request)
    with Journal.open(request.journal) as journal:
        assert set(journal.counts().values()) == {0}


def test_many_rows_arrive_complete_and_in_order(tmp_path: Path) -> None:
    rows = 30_000
    lines = (f"Leads,{5843104000000000001 + row},,row {row}\n" for row in range(rows))
    request = request_for(text_file(tmp_path, HEADER + "".join(lines)))
    plan_in_process(request)
    with Journal.open(request.journal) as journal:
        updates = journal.commit_batch([], claim=rows + 1)
    assert [one.row for one in updates] == list(range(2, rows + 2))
    assert [one.reason for one in updates] == [f"row {row}" for row in range(rows)]


def test_every_option_of_a_request_reaches_the_reader(tmp_path: Path) -> None:
    file = text_file(
        tmp_path, "Kind|Number|Lock|Why\nVehicles|5843104000000425565||Ünder\n", "in.txt"
    )
    file.write_bytes(file.read_text(encoding="utf-8").encode("cp1252"))
    request = replace(
        request_for(file),
        columns={"record_id": ("Number",), "lock_id": ("Lock",)},
        explicit_columns={"module": "Kind", "reason": "Why"},
        encoding="windows-1252",
        delimiter="|",
        custom_modules=("Vehicles",),
    )
    (update,) = planned_updates(request)
    assert (update.module, update.record_id) == ("Vehicles", "5843104000000425565")
    assert (update.lock_id, update.reason) == (None, "Ünder")


def test_a_blank_lock_id_is_a_problem_when_none_may_be_looked_up(tmp_path: Path) -> None:
    file = text_file(tmp_path, HEADER + "Leads,5843104000000425565,,x\n")
    assert planned_updates(replace(request_for(file), lookup_lock_ids=False)) == []


def test_a_large_request_arrives_whole(tmp_path: Path) -> None:
    request = request_for(text_file(tmp_path, HEADER + VALID_ROW))
    modules = tuple(f"Custom_{number}" for number in range(30_000))
    assert len(planned_updates(replace(request, custom_modules=modules))) == 1


def test_a_plan_replaces_an_older_one_only_when_it_is_complete(tmp_path: Path) -> None:
    request = request_for(text_file(tmp_path, HEADER + VALID_ROW))
    assert len(planned_updates(request)) == 1
    before = request.journal.read_bytes()
    with pytest.raises(BatchlockError):
        plan_in_process(request_for(text_file(tmp_path, "No table\n")))
    assert request.journal.read_bytes() == before
    request = request_for(text_file(tmp_path, HEADER + VALID_ROW + SECOND_ROW))
    assert len(planned_updates(request)) == 2


@pytest.mark.parametrize("path", ["", None])
def test_files_named_like_modules_do_not_disturb_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    file = text_file(tmp_path, HEADER + VALID_ROW)
    for name in ("pandas", "csv", "json", "pickle", "batchlock", "sqlite3"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(77)\n")
    request = request_for(file)
    monkeypatch.chdir(tmp_path)
    if path is not None:
        monkeypatch.setattr("sys.path", [path, *sys.path])
    assert len(planned_updates(request)) == 1


def test_the_reader_finds_a_package_that_is_only_in_the_current_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkout = Path(child.__file__).parents[2]
    monkeypatch.chdir(checkout)
    monkeypatch.setattr("sys.path", ["", str(checkout), "/elsewhere"])
    assert child._module_path() == ["/elsewhere", str(checkout)]


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", UnreadableFile, "PDF"),
        (b"", UnreadableFile, "in.csv"),
        (b"PK\x03\x04 and then nothing of the kind", UnreadableFile, "in.csv"),
        (
            b"Module,Record Id,Lock Id\nLeads,5843104000000425565,\n",
            UnreadableFile,
            "no column for the reason",
        ),
    ],
)
def test_a_refusal_of_the_reader_ends_the_command(
    tmp_path: Path, content: bytes, error: type[BatchlockError], message: str
) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(content)
    caught = refusal(request_for(file))
    assert type(caught) is error
    assert message in str(caught)


def test_a_file_that_has_changed_is_no_plan(tmp_path: Path) -> None:
    request = request_for(text_file(tmp_path, HEADER + VALID_ROW))
    text_file(tmp_path, HEADER + VALID_ROW + SECOND_ROW)
    with pytest.raises(UnreadableFile, match=r"in\.csv changed while it was read\."):
        plan_in_process(request)
    assert list(request.journal.parent.iterdir()) == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    caught = refusal(request_for(tmp_path / "gone.csv"))
    assert type(caught) is UnreadableFile
    assert "gone.csv" in str(caught)


def test_a_sheet_of_a_text_file_is_a_usage_error(tmp_path: Path) -> None:
    file = text_file(tmp_path, HEADER + VALID_ROW)
    caught = refusal(replace(request_for(file), sheet="Locks"))
    assert type(caught) is UsageError
    assert (
        str(caught) == "in.csv is a text file: it has no sheets to choose from. Leave --sheet out."
    )


def test_a_name_in_any_script_comes_back_in_the_message(tmp_path: Path) -> None:
    file = text_file(tmp_path, "", "Sperren März 🔒.csv")
    assert "Sperren März 🔒.csv" in str(refusal(request_for(file)))


def test_a_journal_that_cannot_be_written_is_no_fault_of_the_file(tmp_path: Path) -> None:
    request = request_for(text_file(tmp_path, HEADER + VALID_ROW))
    with pytest.raises(BatchlockError, match="journal") as caught:
        plan_in_process(replace(request, journal=tmp_path / "nowhere" / "run.journal"))
    assert not isinstance(caught.value, UnreadableFile)


@pytest.mark.parametrize(
    "error",
    [
        UsageError("Wähle eine.", sheets=["May", "Jüni"]),
        UnreadableFile("No column.", columns=["Module", "Grund"]),
        BatchlockError("The journal is damaged."),
    ],
)
def test_an_error_crosses_the_process_border_unchanged(error: BatchlockError) -> None:
    reply = json.dumps(asdict(ReadFailure.of(error)))
    failure = ReadFailure.from_json(reply.encode("ascii"))
    assert failure is not None
    copy = failure.to_error()
    assert type(copy) is type(error)
    assert (str(copy), copy.columns, copy.sheets) == (str(error), error.columns, error.sheets)
