"""A state folder that others can look into."""

import logging
import stat
import sys
from pathlib import Path

import pytest

from batchlock.store.store import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")


def mode_of(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def open_twice(state: Path) -> None:
    for _ in range(2):
        Store(state).close()


@pytest.mark.parametrize("is_new", [True, False])
def test_it_is_closed_to_them_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_new: bool
) -> None:
    state = tmp_path / "state"
    if is_new:  # somebody made the folder for batchlock
        state.mkdir()
    else:
        Store(state).close()
    state.chmod(0o755)
    open_twice(state)
    assert mode_of(state) == 0o700
    [record] = caplog.records
    assert str(state) in record.getMessage()
    assert "mode 0755" in record.getMessage()


@pytest.mark.parametrize(("mode", "warnings"), [(0o755, 2), (0o770, 0), (0o700, 0)])
def test_one_with_other_files_is_left_as_it_is_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warnings: int
) -> None:
    state = tmp_path / "shared"
    state.mkdir()
    (state / "notes.txt").touch()
    state.chmod(mode)
    open_twice(state)
    assert mode_of(state) == mode
    assert len(caplog.records) == warnings
    assert all(f"chmod o-rwx {state}" in record.getMessage() for record in caplog.records)


def test_one_of_somebody_else_is_left_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    monkeypatch.setattr("os.geteuid", lambda: state.stat().st_uid + 1)
    open_twice(state)
    assert mode_of(state) == 0o755
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
