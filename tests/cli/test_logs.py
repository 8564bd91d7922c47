"""The lines of the log."""

import logging
from pathlib import Path

import pytest

from batchlock.cli.logs import log_to


def test_no_text_looks_like_another_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a\r\n2026-11-27 10:00:00,000 1 INFO Anna signed in\x1b[2J\u2028.csv"
    with log_to(tmp_path, quiet=False) as path:
        logging.getLogger("batchlock").error("reading %s", name, exc_info=ValueError(name))
    assert path is not None
    for text in (path.read_text("utf-8"), capsys.readouterr().err):
        first, *others = text.splitlines()
        assert first.endswith("reading a\\r")
        assert others
        assert all(line.startswith("    ") for line in others)
        assert "\\x1b[2J\\u2028.csv" in others[0]
