"""End a reader process: its limits, crashes, cancellation, and the end of its parent."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from support.paths import ROOT
from support.reading import (
    HEADER,
    has_reader,
    pipe_writer,
    plan_in_process,
    reader_processes,
    request_for,
    wait_until,
)
from support.run_info import INTERRUPTED

from batchlock.cli.logs import log_to
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UnreadableFile
from batchlock.core.stop import Cancelled, StopReason
from batchlock.plan.child import ReadLimits, plan

posix = pytest.mark.skipif(sys.platform == "win32", reason="takes a pipe for a file")
pytestmark = pytest.mark.usefixtures("new_readers")

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Path]:
    """A file that can be opened but never yields a byte; afterwards nobody reads it any more."""
    pipe = tmp_path / "in.csv"
    os.mkfifo(pipe)
    yield pipe
    assert list(request_for(pipe).journal.parent.iterdir()) == []
    wait_until(lambda: not has_reader(pipe))


def plan_from_pipe(pipe: Path, act: Callable[[int], object]) -> None:
    """Plan from a pipe, and act once it is being read; `act` gets the end to write to.

    A reason that it returns cancels the run, and the class CancelledError cancels the task.
    """

    async def main() -> None:
        cancel_token = CancelToken()
        planning = asyncio.create_task(
            plan(request_for(pipe), ReadLimits(), cancel_token=cancel_token)
        )
        writing = pipe_writer(pipe)
        writer = await asyncio.to_thread(writing.__enter__)
        try:
            outcome = act(writer)
            if isinstance(outcome, StopReason):
                cancel_token.cancel(outcome)
            elif outcome is asyncio.CancelledError:
                planning.cancel()
            await planning
        finally:
            writing.__exit__(None, None, None)

    asyncio.run(main())


def signal_reader(number: signal.Signals) -> None:
    (reader,) = reader_processes(os.getpid())
    os.kill(reader, number)


@linux
def test_a_file_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "in.xlsx"
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEADER.rstrip().split(","))
        for row in range(1, 30_000):
            record_id = str(5843104000000000000 + row)
            sheet.write_row(row, 0, ["Leads", record_id, "", "x", *[row] * 16])
    request = request_for(file)
    with pytest.raises(UnreadableFile) as caught:
        plan_in_process(request, ReadLimits(memory_bytes=160 * 2**20))
    assert str(caught.value).startswith("in.xlsx: reading it takes more than 0.2 GiB of memory.")
    assert list(request.journal.parent.iterdir()) == []


@posix
def test_a_file_that_takes_too_long_is_refused(endless: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"in\.csv: reading it took more than 2 seconds\."):
        plan_in_process(request_for(endless), ReadLimits(timeout_seconds=2.0))


@posix
def test_a_reader_that_has_hardly_started_can_be_ended(endless: Path) -> None:
    with pytest.raises(UnreadableFile, match="took more than 0 seconds"):
        plan_in_process(request_for(endless), ReadLimits(timeout_seconds=0.0))


@posix
def test_a_cancelled_run_ends_its_reader(endless: Path) -> None:
    with pytest.raises(Cancelled) as caught:
        plan_from_pipe(endless, lambda _: INTERRUPTED)
    assert caught.value.reason is INTERRUPTED


@posix
def test_a_run_that_was_cancelled_before_reads_nothing(endless: Path) -> None:
    cancel_token = CancelToken()
    cancel_token.cancel(INTERRUPTED)
    with pytest.raises(Cancelled):
        plan_in_process(request_for(endless), cancel_token=cancel_token)


@posix
def test_a_cancelled_task_ends_its_reader(endless: Path) -> None:
    with pytest.raises(asyncio.CancelledError):
        plan_from_pipe(endless, lambda _: asyncio.CancelledError)


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_of_the_reader_is_a_sentence_about_the_file(
    endless: Path, number: signal.Signals
) -> None:
    with pytest.raises(UnreadableFile, match=r"in\.csv: it cannot be read; .* damaged"):
        plan_from_pipe(endless, lambda _: signal_reader(number))


@linux
def test_the_stderr_of_a_crashed_reader_is_only_in_the_log_file(
    endless: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    with log_to(tmp_path / "kept", quiet=False) as log, pytest.raises(UnreadableFile):
        plan_from_pipe(endless, lambda _: signal_reader(signal.SIGABRT))
    assert log is not None
    text = log.read_text("utf-8")
    assert "ended with -6" in text
    assert "Fatal Python error: Aborted" in text
    assert capfd.readouterr().err == ""


@linux
def test_the_interrupt_of_a_terminal_does_not_end_the_reader(endless: Path) -> None:
    def interrupt(writer: int) -> None:
        signal_reader(signal.SIGINT)
        # The reader still lives if it refuses the file by its first 512 bytes.
        os.write(writer, b"%PDF-1.7".ljust(512))

    with pytest.raises(UnreadableFile, match="is a PDF document"):
        plan_from_pipe(endless, interrupt)


@linux
def test_the_reader_ends_when_its_parent_is_killed(endless: Path) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from support.reading import plan_in_process, request_for;"
        "plan_in_process(request_for(Path(sys.argv[1])))"
    )
    path = os.pathsep.join(filter(None, [str(ROOT / "tests"), *sys.path]))
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(endless)], env={**os.environ, "PYTHONPATH": path}
    )
    with pipe_writer(endless):
        assert len(reader_processes(parent.pid)) == 1
        parent.kill()
        parent.wait()
        wait_until(lambda: not has_reader(endless))
