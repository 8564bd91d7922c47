"""The environment of a cron job: no home, no language, no terminal, no temporary folder."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.commands import POSIX, RunCommand, command
from support.paths import ROOT

from batchlock.config import load
from batchlock.core.errors import UsageError

_FILE = ROOT / "samples" / "lock_updates.xlsx"


@POSIX
def test_a_run_needs_nothing_of_the_environment_but_a_state_folder(tmp_path: Path) -> None:
    file = tmp_path / "Sperren Köln.xlsx"
    file.write_bytes(_FILE.read_bytes())
    state = tmp_path / "state"
    completed = subprocess.run(
        command("run", file, "--simulate"),
        # cron also sets HOME, LOGNAME and SHELL; a timer of systemd without `User=` sets none.
        env={"PATH": "/usr/bin:/bin", "BATCHLOCK_STATE_DIRECTORY": str(state)},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        start_new_session=True,
        timeout=120,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    (results,) = tmp_path.glob("Sperren Köln-results-*.xlsx")
    assert completed.stdout.endswith(f"Results: {results}\n")
    # No bar without a terminal.
    assert "\r" not in completed.stderr


@POSIX
@pytest.mark.skipif(
    sys.platform != "win32" and os.geteuid() != 0, reason="only root can become another user"
)
def test_for_an_account_without_a_home_the_message_says_what_to_set() -> None:
    # The Python of the tests may be in a folder that only root can enter, so root asks for the home
    # of another account before it has loaded anything.
    code = (
        "import os, pwd, sys; from batchlock.cli import run_command; "
        "import batchlock.cli.commands, batchlock.cli.confirm, batchlock.cli.logs, "
        "batchlock.cli.progress, batchlock.config, batchlock.engine; "
        "os.setuid(4_000_000_000); sys.exit(run_command(['runs']))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert completed.returncode == 2, completed.stderr
    assert "Set HOME, or name a folder with state_directory" in completed.stderr


def test_the_state_folder_needs_a_home_only_when_none_is_named(
    run_in_process: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home(path: str) -> str:
        return path

    # What the standard library returns for an account that is not in the list of accounts.
    monkeypatch.setattr(os.path, "expanduser", no_home)
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    settings = load(environment={"BATCHLOCK_STATE_DIRECTORY": str(tmp_path)})
    assert settings.state == tmp_path
    if sys.platform != "win32":  # there the folder comes from the system
        with pytest.raises(UsageError, match="home folder is not known"):
            _ = load(environment={}).state
        result = run_in_process("doctor", "--offline")
        assert result.code == 2
        assert "a home folder, which is not known" in result.out


def test_a_machine_without_a_folder_for_temporary_files_is_named(
    run_in_process: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "missing")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(tempfile, "_candidate_tempdir_list", lambda: [missing])
        result = run_in_process("check", _FILE)
    assert result.code == 2
    assert "Set TMPDIR to a folder that can be written." in result.err
