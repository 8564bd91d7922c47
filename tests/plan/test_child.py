import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from support.paths import ROOT

from batchlock.cli.logs import log_to
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, Interrupted, UnreadableFile, UsageError
from batchlock.core.results import Result
from batchlock.core.rows import Update
from batchlock.plan.child import Bounds, Request, plan
from batchlock.store.journal import Journal, RunInfo

HEADER = "Module,Record Id,Lock Id,Reason\n"
GOOD = "Leads,5843104000000425565,5843104000000425777,Under review\n"
OTHER = "sales orders,5843104000000425566,5843104000000425778,Ärger\n"

posix = pytest.mark.skipif(sys.platform == "win32", reason="takes a pipe for a file")
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")


def request_of(file: Path) -> Request:
    about = RunInfo(
        run_id="20260101-000000",
        kind="run",
        org="acme",
        environment="production",
        api_url="https://www.zohoapis.com",
        file=str(file),
        sha256=hashlib.sha256(file.read_bytes() if file.is_file() else b"").hexdigest(),
        identity="1" * 64,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        version="0",
    )
    folder = file.parent / "state"
    folder.mkdir(exist_ok=True)
    return Request(file=file, journal=folder / "run.journal", about=about)


def text_file(folder: Path, text: str, name: str = "in.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8", newline="")
    return file


def make(
    request: Request, bounds: Bounds | None = None, cancel_token: CancelToken | None = None
) -> None:
    asyncio.run(plan(request, bounds or Bounds(), cancel_token=cancel_token or CancelToken()))


def refused(request: Request, bounds: Bounds | None = None) -> BatchlockError:
    """Return why there is no plan, with nothing of it left behind."""
    with pytest.raises(BatchlockError) as caught:
        make(request, bounds)
    assert list(request.journal.parent.iterdir()) == []
    return caught.value


# -- a file that can be read -----------------------------------------------------------------


def test_every_row_and_every_problem_is_in_the_journal(tmp_path: Path) -> None:
    file = text_file(
        tmp_path,
        HEADER
        + GOOD
        + "\n"
        + OTHER
        + GOOD
        + "Ledas,5.8431E+18,5843104000000425779,x\n"
        + "Leads,5843104000000425570,5843104000000425779,\n",
    )
    request = request_of(file)
    make(request)
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
        about = journal.info
        assert about.titles == ("Module", "Record Id", "Lock Id", "Reason")
        assert (about.encoding, about.delimiter, about.sheet) == ("utf-8", ",", None)
        assert about == replace(
            request.about,
            titles=about.titles,
            encoding=about.encoding,
            delimiter=about.delimiter,
        )
        assert [line.row for line in journal.result_rows()] == [2, 4, 5, 6, 7]
        claimed = journal.commit_batch([], claim=10)
    assert [(one.row, one.module, one.record_id, one.lock_id, one.reason) for one in claimed] == [
        (2, "Leads", "5843104000000425565", "5843104000000425777", "Under review"),
        (4, "Sales_Orders", "5843104000000425566", "5843104000000425778", "Ärger"),
    ]


def test_a_workbook_is_planned_like_a_text_file(tmp_path: Path) -> None:
    file = tmp_path / "in.xlsx"
    with xlsxwriter.Workbook(file) as workbook:
        sheet = workbook.add_worksheet("Locks")
        for row, line in enumerate((HEADER, GOOD, OTHER)):
            sheet.write_row(row, 0, line.rstrip().split(","))
    request = request_of(file)
    make(request)
    with Journal.open(request.journal) as journal:
        assert journal.counts()[Result.NOT_SENT] == 2
        assert journal.info.sheet == "Locks"


def test_a_file_without_rows_is_a_plan_without_rows(tmp_path: Path) -> None:
    request = request_of(text_file(tmp_path, HEADER))
    make(request)
    with Journal.open(request.journal) as journal:
        assert set(journal.counts().values()) == {0}


def test_many_rows_arrive_complete_and_in_order(tmp_path: Path) -> None:
    rows = 30_000
    lines = (f"Leads,{5843104000000000001 + row},,row {row}\n" for row in range(rows))
    request = request_of(text_file(tmp_path, HEADER + "".join(lines)))
    make(request)
    with Journal.open(request.journal) as journal:
        claimed = journal.commit_batch([], claim=rows + 1)
    assert [one.row for one in claimed] == list(range(2, rows + 2))
    assert [one.reason for one in claimed] == [f"row {row}" for row in range(rows)]


def planned(request: Request) -> list[Update]:
    make(request)
    with Journal.open(request.journal) as journal:
        return journal.commit_batch([], claim=10)


def test_what_was_asked_reaches_the_reading(tmp_path: Path) -> None:
    file = text_file(
        tmp_path, "Kind|Number|Lock|Why\nVehicles|5843104000000425565||Ünder\n", "in.txt"
    )
    file.write_bytes(file.read_text(encoding="utf-8").encode("cp1252"))
    asked = replace(
        request_of(file),
        columns={"record_id": ("Number",), "lock_id": ("Lock",)},
        explicit_columns={"module": "Kind", "reason": "Why"},
        encoding="windows-1252",
        delimiter="|",
        custom_modules=("Vehicles",),
    )
    (update,) = planned(asked)
    assert (update.module, update.record_id) == ("Vehicles", "5843104000000425565")
    assert (update.lock_id, update.reason) == (None, "Ünder")


def test_a_blank_lock_id_is_a_problem_when_none_may_be_looked_up(tmp_path: Path) -> None:
    file = text_file(tmp_path, HEADER + "Leads,5843104000000425565,,x\n")
    assert planned(replace(request_of(file), lookup_lock_ids=False)) == []


def test_a_large_request_is_taken_whole(tmp_path: Path) -> None:
    asked = request_of(text_file(tmp_path, HEADER + GOOD))
    custom = tuple(f"Custom_{number}" for number in range(30_000))
    assert len(planned(replace(asked, custom_modules=custom))) == 1


def test_a_plan_takes_the_place_of_an_older_one_only_when_it_is_whole(tmp_path: Path) -> None:
    request = request_of(text_file(tmp_path, HEADER + GOOD))
    assert len(planned(request)) == 1
    before = request.journal.read_bytes()
    with pytest.raises(BatchlockError):
        make(request_of(text_file(tmp_path, "No table\n")))
    assert request.journal.read_bytes() == before
    assert len(planned(request_of(text_file(tmp_path, HEADER + GOOD + OTHER)))) == 2


@pytest.mark.parametrize("path", ["", None])
def test_files_named_like_modules_do_not_disturb_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    file = text_file(tmp_path, HEADER + GOOD)
    for name in ("pandas", "csv", "json", "pickle", "batchlock", "sqlite3"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(77)\n")
    request = request_of(file)
    monkeypatch.chdir(tmp_path)
    if path is not None:
        monkeypatch.setattr(sys, "path", [path, *sys.path])
    assert len(planned(request)) == 1


# -- a file that cannot ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "error", "told"),
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
def test_what_the_loader_says_of_a_file_ends_the_command(
    tmp_path: Path, content: bytes, error: type[BatchlockError], told: str
) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(content)
    why = refused(request_of(file))
    assert type(why) is error
    assert told in str(why)


def test_a_file_that_is_no_longer_what_it_was_is_no_plan(tmp_path: Path) -> None:
    request = request_of(text_file(tmp_path, HEADER + GOOD))
    text_file(tmp_path, HEADER + GOOD + OTHER)
    with pytest.raises(UnreadableFile, match=r"in\.csv changed while it was read\."):
        make(request)
    assert list(request.journal.parent.iterdir()) == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    why = refused(request_of(tmp_path / "gone.csv"))
    assert type(why) is UnreadableFile
    assert "gone.csv" in str(why)


def test_a_sheet_of_a_text_file_is_a_usage_error(tmp_path: Path) -> None:
    file = text_file(tmp_path, HEADER + GOOD)
    why = refused(replace(request_of(file), sheet="Locks"))
    assert type(why) is UsageError
    assert str(why) == "in.csv is a text file: it has no sheets to choose from."


def test_a_name_in_any_script_comes_back_in_the_message(tmp_path: Path) -> None:
    file = text_file(tmp_path, "", "Sperren März 🔒.csv")
    assert "Sperren März 🔒.csv" in str(refused(request_of(file)))


def test_a_journal_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    request = request_of(text_file(tmp_path, HEADER + GOOD))
    with pytest.raises(BatchlockError, match="journal") as caught:
        make(replace(request, journal=tmp_path / "nowhere" / "run.journal"))
    assert not isinstance(caught.value, UnreadableFile)


# -- its bounds ------------------------------------------------------------------------------


@linux
def test_a_file_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "in.xlsx"
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEADER.rstrip().split(","))
        for row in range(1, 30_000):
            record_id = str(5843104000000000000 + row)
            sheet.write_row(row, 0, ["Leads", record_id, "", "x", *[row] * 16])
    why = refused(request_of(file), Bounds(memory=100 * 2**20))
    assert type(why) is UnreadableFile
    assert str(why).startswith("in.xlsx: reading it takes more than 0.1 GiB of memory.")


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true; it never being so is an error."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("It never came true.")


def children_of(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(ppid) == parent and state != "Z":
            found.append(int(status.parent.name))
    return found


def is_read(pipe: Path) -> bool:
    """Tell whether somebody has the pipe open to read it."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@contextmanager
def being_read(pipe: Path) -> Iterator[None]:
    """Wait until somebody reads the pipe, and keep it without an end."""
    writers: list[int] = []

    def opened() -> bool:
        with suppress(OSError):
            writers.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    until(opened)
    try:
        yield
    finally:
        os.close(writers[0])


def while_read(pipe: Path, act: Callable[[], object], bounds: Bounds | None = None) -> None:
    """Plan from a pipe, which never ends, and act once it is being read."""

    async def main() -> None:
        cancel_token = CancelToken()
        planning = asyncio.create_task(
            plan(request_of(pipe), bounds or Bounds(), cancel_token=cancel_token)
        )
        reading = being_read(pipe)
        await asyncio.to_thread(reading.__enter__)
        with ExitStack() as stack:
            stack.push(reading)
            outcome = act()
            if isinstance(outcome, BatchlockError):
                cancel_token.cancel(outcome)
            elif outcome is asyncio.CancelledError:
                planning.cancel()
            await planning

    asyncio.run(main())


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Path]:
    """Make a file that is opened and then gives nothing, ever."""
    pipe = tmp_path / "in.csv"
    os.mkfifo(pipe)
    yield pipe
    assert list(request_of(pipe).journal.parent.iterdir()) == []
    until(lambda: not is_read(pipe))


@posix
def test_a_file_that_takes_too_long_is_refused(endless: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"in\.csv: reading it took more than 2 seconds\."):
        make(request_of(endless), Bounds(seconds=2.0))


@posix
def test_a_reader_that_has_hardly_started_can_be_ended_too(endless: Path) -> None:
    with pytest.raises(UnreadableFile, match="took more than 0 seconds"):
        make(request_of(endless), Bounds(seconds=0.0))


@posix
def test_the_brake_ends_the_reading(endless: Path) -> None:
    why = Interrupted("Interrupted.", signal_number=2)
    with pytest.raises(Interrupted) as caught:
        while_read(endless, lambda: why)
    assert caught.value is why


@posix
def test_a_brake_that_was_pulled_before_lets_nothing_be_read(endless: Path) -> None:
    cancel_token = CancelToken()
    cancel_token.cancel(Interrupted("Interrupted.", signal_number=15))
    with pytest.raises(Interrupted):
        make(request_of(endless), cancel_token=cancel_token)


@posix
def test_a_plan_that_is_cancelled_ends_its_reader(endless: Path) -> None:
    with pytest.raises(asyncio.CancelledError):
        while_read(endless, lambda: asyncio.CancelledError)


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_reader_that_crashes_is_a_sentence_about_the_file(
    endless: Path, number: signal.Signals
) -> None:
    def crash() -> None:
        (reader,) = children_of(os.getpid())
        os.kill(reader, number)

    with pytest.raises(UnreadableFile, match=r"in\.csv: it cannot be read; .* damaged"):
        while_read(endless, crash)


@linux
def test_what_a_reader_said_before_it_crashed_is_in_the_log_file_alone(
    endless: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")

    def crash() -> None:
        (reader,) = children_of(os.getpid())
        os.kill(reader, signal.SIGABRT)

    with log_to(tmp_path / "kept", quiet=False) as log, pytest.raises(UnreadableFile):
        while_read(endless, crash)
    assert log is not None
    told = log.read_text("utf-8")
    assert "ended with -6" in told
    assert "Fatal Python error: Aborted" in told
    assert capfd.readouterr().err == ""


@linux
def test_a_reader_is_not_ended_by_the_interrupt_that_its_terminal_sends(endless: Path) -> None:
    def interrupt() -> None:
        (reader,) = children_of(os.getpid())
        os.kill(reader, signal.SIGINT)

    with pytest.raises(UnreadableFile, match="took more than"):
        while_read(endless, interrupt, Bounds(seconds=3.0))


@linux
def test_the_reader_ends_when_its_parent_is_killed(endless: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from plan.test_child import make, request_of;"
        "make(request_of(Path(sys.argv[1])))"
    )
    path = os.pathsep.join(filter(None, [str(ROOT / "tests"), *sys.path]))
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(endless)], env={**os.environ, "PYTHONPATH": path}
    )
    with being_read(endless):
        assert len(children_of(parent.pid)) == 1
        parent.kill()
        parent.wait()
        until(lambda: not is_read(endless))
