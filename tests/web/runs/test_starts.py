"""The processes that a server starts for runs: those that cannot begin, and how many there are."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest
from support.page_server import PageServer, served_page
from support.visitor import csv_content, write_config

from batchlock.core.runs import Run
from batchlock.core.stop import StopCode
from batchlock.store.store import Store
from batchlock.web import run_process


def crash(_: Sequence[str], stderr: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start a process that ends as one which cannot load its modules."""
    script = "import sys; sys.exit('Traceback:\\nImportError: no module')"
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", script], stderr=stderr)


def run_of(page: PageServer, path: str) -> Run:
    with Store(page.state) as store:
        run = store.runs.get(path.rpartition("/")[2])
    assert run is not None
    return run


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
