"""Killed and suspended processes: what the page shows, and that no row is sent twice."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from support.commands import POSIX, TIMEOUT_SECONDS
from support.forked_command import forked
from support.page_server import PageServer, configure_slow, page_server
from support.sheets import record, rows, sheet
from support.visitor import HEADER, Visitor, csv_content, eventually
from support.zoho import StandIn

pytestmark = POSIX

ROWS = 30


def updates(org: StandIn, first: int) -> list[int]:
    """Return how often each lock of a test's file was changed."""
    locks = org.locks()
    keys = [f"Leads/{record(number)}" for number in range(first, first + ROWS)]
    return [locks[key]["updates"] if key in locks else 0 for key in keys]


def started_run(page: PageServer, first: int) -> str:
    """Start a run and wait until it has sent some rows; return its path."""
    someone = page.visitor()
    run = someone.start("locks.csv", csv_content(ROWS, first=first))
    someone.wait_for(run, "Sending.")
    return run


def process_of(page: PageServer) -> int:
    """Return the id of the process that sends a run."""
    run = page.running()
    assert run is not None
    assert run.process is not None
    return run.process


@contextmanager
def suspended(process_id: int) -> Iterator[None]:
    """Suspend a process during the block, as the sleep of the whole machine does."""
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # the block has let it go on, and it has ended
            os.kill(process_id, signal.SIGCONT)


def duplicates(count: int, *, first: int) -> bytes:
    """Return so many rows of one record: one is sent, but reading and reporting takes seconds."""
    line = ",".join(rows(1, first=first)[0])
    return HEADER.encode() + f"{line}\n".encode() * count


def wait_for_another_process(page: PageServer, process: int) -> None:
    """Wait until a run is sent by another process, or not sent any more."""

    def is_another() -> bool:
        run = page.running()
        return run is None or run.process != process

    eventually(is_another)


def test_a_run_goes_on_after_server_and_process_were_killed(
    slow_org: StandIn, tmp_path: Path
) -> None:
    configure_slow(slow_org, tmp_path)
    with page_server(tmp_path) as page:
        run = started_run(page, 10_000)
        page.kill()
        os.kill(process_of(page), signal.SIGKILL)
        with page_server(tmp_path) as next_page:
            assert f"{ROWS} updated" in next_page.visitor().results(run).words
    assert updates(slow_org, 10_000) == [1] * ROWS


def test_a_run_that_is_killed_again_and_again_is_stopped(
    slow_org: StandIn, slow_page: PageServer
) -> None:
    someone = slow_page.visitor()
    run = started_run(slow_page, 11_000)
    for _ in range(3):
        eventually(lambda: slow_page.running() is not None)
        process = process_of(slow_page)
        os.kill(process, signal.SIGKILL)
        wait_for_another_process(slow_page, process)
    stopped = someone.results(run).words
    assert "Its process ended unexpectedly; it can be resumed." in stopped
    someone.confirm(f"{run}/go-on")
    assert f"{ROWS} updated" in someone.results(run).words
    assert updates(slow_org, 11_000) == [1] * ROWS


def test_a_run_that_is_killed_while_it_reports_is_finished_by_the_next_process(
    slow_org: StandIn, tmp_path: Path
) -> None:
    configure_slow(slow_org, tmp_path)
    with page_server(tmp_path) as page:
        someone = page.visitor()
        run = someone.start("locks.csv", duplicates(30_000, first=12_000))
        someone.wait_for(run, "The results are being written.")
        page.kill()
        os.kill(process_of(page), signal.SIGKILL)
        with page_server(tmp_path) as next_page:
            results = next_page.visitor().results(run).words
    assert "1 updated, 29,999 duplicate" in results
    assert "Resume the run" not in results
    assert slow_org.locks()[f"Leads/{record(12_000)}"]["updates"] == 1


def test_an_upload_is_read_by_the_next_server(tmp_path: Path, slow_org: StandIn) -> None:
    configure_slow(slow_org, tmp_path)
    with page_server(tmp_path) as page:
        content = duplicates(30_000, first=13_000)
        with ThreadPoolExecutor() as threads:
            upload = threads.submit(page.visitor().upload, ("locks.csv", content))
            files = page.state / "web/files"
            eventually(lambda: next(files.rglob("plan*.partial"), None) is not None)
            page.kill()
            upload.exception()  # its answer came if the plan took more than 1.5 s to begin
        [folder] = files.iterdir()
        with page_server(tmp_path) as next_page:
            someone = next_page.visitor()
            someone.wait_for(f"{someone.home}/files/{folder.name}", "can be sent 1")
        assert list(folder.glob("*.partial")) == []


def test_a_suspended_process_sends_the_rest_itself(slow_org: StandIn, tmp_path: Path) -> None:
    configure_slow(slow_org, tmp_path)
    with page_server(tmp_path) as page:
        run = started_run(page, 14_000)
        page.kill()
        process = process_of(page)
        with suspended(process), page_server(tmp_path) as next_page:
            someone = next_page.visitor()
            someone.wait_for(run, "Another run is at work on default")
            os.kill(process, signal.SIGCONT)
            someone.wait_for(run, "Sending.")
            assert process_of(next_page) == process
            assert f"{ROWS} updated" in someone.results(run).words
    assert updates(slow_org, 14_000) == [1] * ROWS


def test_a_suspended_process_ends_when_its_run_was_paused_meanwhile(
    slow_org: StandIn, tmp_path: Path
) -> None:
    configure_slow(slow_org, tmp_path)
    with page_server(tmp_path) as page:
        run = started_run(page, 15_000)
        page.kill()
        process = process_of(page)
        with suspended(process), page_server(tmp_path) as next_page:
            someone = next_page.visitor()
            someone.wait_for(run, "Another run is at work on default")
            someone.post(f"{run}/pause")
            someone.wait_for(run, "Paused by")
            os.kill(process, signal.SIGCONT)
            eventually(lambda: not Path(f"/proc/{process}/cmdline").read_bytes())
            assert "Paused by" in someone.get(run).words
            assert sum(updates(slow_org, 15_000)) < ROWS
            someone.confirm(f"{run}/go-on")
            assert f"{ROWS} updated" in someone.results(run).words
    assert updates(slow_org, 15_000) == [1] * ROWS


def test_a_killed_run_of_a_terminal_is_not_finished_and_can_be_resumed(
    slow_org: StandIn, slow_page: PageServer
) -> None:
    someone = slow_page.visitor()
    file = sheet("terminal.csv", rows(ROWS, first=16_000))
    with forked("run", file, "--config", slow_page.config) as process:
        eventually(lambda: slow_page.running() is not None and sum(updates(slow_org, 16_000)) > 2)
        run_record = slow_page.running()
        assert run_record is not None
        run = f"{someone.home}/runs/{run_record.run_id}"
        with suspended(process.pid):  # so that it never reads the request
            someone.post(f"{run}/stop")
            process.kill()
    process.wait(TIMEOUT_SECONDS)
    assert "Not finished" in not_finished(someone, run)
    answer = someone.confirm(f"{run}/go-on")
    assert answer.location == run, answer.words
    assert f"{ROWS} updated" in someone.results(run).words
    assert updates(slow_org, 16_000) == [1] * ROWS


def not_finished(someone: Visitor, run: str) -> str:
    """Wait until a run is not shown as active; return what the first page says about it."""
    someone.results(run)
    html = someone.get(someone.home).text
    return next(part for part in html.split("<tr>") if f'href="{run}"' in part)
