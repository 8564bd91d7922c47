"""The processes that a server starts for runs: those that cannot begin, and how many there are."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest
from support.page_server import PageServer, served_page
from support.run_info import run_info, run_record
from support.visitor import csv_content, write_config

from batchlock import config
from batchlock.core.options import RunOptions
from batchlock.core.org import StoredOrg
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import COMPLETED, StopCode
from batchlock.store.store import Store
from batchlock.web import run_process
from batchlock.web.dispatcher import Dispatcher
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.server_locks import ServerLocks


def crash(_: Sequence[str], stderr: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start a process that ends as one which cannot load its modules."""
    script = "import sys; sys.exit('Traceback:\\nImportError: no module')"
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", script], stderr=stderr)


def run_of_id(store: Store, run_id: str) -> Run:
    run = store.runs.get(run_id)
    assert run is not None
    return run


def run_of(page: PageServer, path: str) -> Run:
    with Store(page.state) as store:
        return run_of_id(store, path.rpartition("/")[2])


@pytest.mark.parametrize("fault", ["configuration", "environment"])
def test_a_run_whose_process_cannot_begin_says_why_after_its_first_start(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path)
    with served_page(tmp_path) as page:
        someone = page.visitor()
        if fault == "configuration":
            write_config(tmp_path, "limits: {in_flihgt: 7}\nretry: {attempts: many}")
            sentences = ["in_flihgt", "in_flight", "attempts"]
        else:
            monkeypatch.setenv("BATCHLOCK_X", "1")
            sentences = ["BATCHLOCK_X"]
        path = someone.start("locks.csv", csv_content(2, first=1))
        words = someone.results(path).words
        run = run_of(page, path)
    assert all(sentence in words for sentence in sentences), words
    assert run.reason is not None
    assert (run.reason.code, run.starts) == (StopCode.SETUP, 0)
    assert run.figures.remaining == 2


def test_the_last_words_of_a_process_that_crashes_are_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_config(tmp_path)
    with served_page(tmp_path) as page:
        someone = page.visitor()
        monkeypatch.setattr(run_process, "start_process", crash)
        with caplog.at_level(logging.WARNING):
            path = someone.start("locks.csv", csv_content(2, first=1))
            words = someone.results(path).words
        run = run_of(page, path)
    assert "Its process ended unexpectedly" in words
    assert run.reason is not None
    assert run.reason.code is StopCode.KILLED
    assert f"run {run.run_id} ended with exit code 1: ImportError: no module" in caplog.text


def test_only_so_many_orgs_are_sent_at_once_and_the_oldest_request_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(arguments: Sequence[str], _: IO[bytes]) -> "subprocess.Popen[bytes]":
        script = "import time; time.sleep(600)"
        process = subprocess.Popen([sys.executable, "-I", "-S", "-c", script])
        return processes.setdefault(arguments[1], process)

    def end(run_id: str) -> None:
        store.runs.end_session(run_id, RunState.FINISHED, COMPLETED)
        processes[run_id].kill()
        processes[run_id].wait()

    monkeypatch.setattr(run_process, "start_process", start)
    settings = config.load(file=write_config(tmp_path), environment={})
    with Store(settings.state) as store:
        orgs = [StoredOrg(name=name, data_center="eu", environment="sandbox") for name in "abcd"]
        store.orgs.put(orgs)
        served, locks = ServedOrgs(settings, RunOptions(), store), ServerLocks(settings.state)
        dispatcher = Dispatcher(store, served, locks, orgs_at_once=2)
        for run_id in ("c1", "a1", "b1", "c2", "d1"):
            info = run_info(run_id=run_id, org=run_id[0], sha256=run_id)
            store.runs.add(run_record(info))
            store.runs.enqueue(run_id, requested_by="Anna")
        try:
            for _ in range(2):
                dispatcher._step()
            assert list(processes) == ["c1", "a1"]
            assert dispatcher.queue("b").waits_for_other_orgs
            end("c1")
            dispatcher._step()
            assert list(processes) == ["c1", "a1", "b1"]
            assert not dispatcher.queue("b").waits_for_other_orgs
            # A run that is being sent by the process of an older server takes a place, too.
            store.runs.start_session(run_of_id(store, "c2"))
            end("a1")
            dispatcher._step()
            assert list(processes) == ["c1", "a1", "b1"]
            end("b1")
            dispatcher._step()
            assert list(processes)[3:] == ["d1"]
        finally:
            dispatcher.detach()
            for process in processes.values():
                process.kill()
                process.wait()
            locks.release()
