"""Completion in the shells, and the names that batchlock offers them."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from support.commands import TIMEOUT_SECONDS
from support.run_info import run_info, run_record
from support.terminal import open_terminal, read_until

from batchlock.cli.commands import commands
from batchlock.cli.context import Context
from batchlock.core.org import StoredOrg
from batchlock.core.runs import RunState
from batchlock.store import database
from batchlock.store.listing import STORE_NAME
from batchlock.store.store import Store
from batchlock.zoho.settings import SIMULATOR

_RUN_ID = "20260314-020304-1f3a"
# fish needs a terminal of its own: it becomes the one of a new session here.
_OWN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
# What an interactive shell needs to know nothing of the user who runs the tests.
_SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "--private", "-i"],
}


@pytest.fixture
def state(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a state folder with some runs and an org, and let the commands use it."""
    folder = isolated / "state"
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", str(folder))
    with Store(folder) as store:
        for run_id, org in (
            (_RUN_ID, "default"),
            ("20260315-020304-2b00", SIMULATOR),
            ("20260316-020304-3c00", "other"),
        ):
            info = run_info(run_id=run_id, org=org)
            store.runs.add(run_record(info, state=RunState.FINISHED))
        store.orgs.put(
            [
                StoredOrg(name=name, data_center="eu", environment="sandbox")
                for name in ("other", "acme")
            ]
        )
    return folder


def offered(*words: str) -> list[str]:
    """Return what a shell offers for the last of the words."""
    complete = ShellComplete(commands, {"obj": Context()}, "batchlock", "_BATCHLOCK_COMPLETE")
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("sho",), ["show"]),
        (("orgs", "dis"), ["disable"]),
        (("run", "orders.xlsx", "--stri"), ["--strict"]),
        (("show", ""), ["20260315-020304-2b00", _RUN_ID]),
        (("undo", "20260314"), [_RUN_ID]),
        (("resume", "2026031_"), []),
        (("retry", "--org", "other", ""), ["20260316-020304-3c00", "20260315-020304-2b00"]),
        (("run", "--org", ""), ["acme", "other"]),
        (("orgs", "test", "a"), ["acme"]),
        (("locks", "le"), ["Leads"]),
        (("run", "--module", "price"), ["Price_Books"]),
        (("run", "--delimiter", "s"), ["semicolon"]),
        (("check", "--action", "u"), ["unlock"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
    ],
)
def test_what_is_offered(words: tuple[str, ...], expected: list[str], state: Path) -> None:
    assert offered(*words) == expected


def test_the_state_folder_of_a_configuration_that_is_typed_is_used(
    state: Path, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BATCHLOCK_STATE_DIRECTORY")
    Path("night.yaml").write_text(f"org: other\nstate_directory: {json.dumps(str(state))}\n")
    assert offered("show", "20260316") == []
    assert offered("show", "-c", "night.yaml", "20260316") == ["20260316-020304-3c00"]


def test_nothing_is_offered_and_made_where_there_is_no_store(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", str(isolated / "state"))
    assert offered("show", "") == []
    assert not (isolated / "state").exists()


def test_nothing_is_offered_from_a_damaged_store_or_by_a_wrong_configuration(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state / STORE_NAME).write_bytes(b"no database" * 1000)
    assert offered("show", "") == []
    monkeypatch.setenv("BATCHLOCK_NO_SUCH_KEY", "1")
    assert offered("run", "--org", "") == []


def test_a_shared_database_is_not_asked(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHLOCK_DATABASE", "postgresql://nobody@203.0.113.1/none")
    assert offered("show", "") == []


def test_the_store_has_its_name_here_too() -> None:
    assert STORE_NAME == database.NAME


def test_looking_at_the_store_leaves_no_file_behind(state: Path) -> None:
    before = sorted(path.name for path in state.iterdir())
    offered("show", "")
    assert sorted(path.name for path in state.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="the shells of Windows are others")
@pytest.mark.parametrize("shell", _SHELLS)
def test_a_line_is_completed_in_a_shell(
    shell: str, state: Path, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    programs = isolated / "bin"
    programs.mkdir()
    # As pip writes it, whatever way the package is installed in.
    program = programs / "batchlock"
    program.write_text(f"#!{sys.executable}\nfrom batchlock.cli import main\nmain()\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    script = isolated / "completion"
    printed = CliRunner().invoke(commands, ["completion", shell], obj=Context())
    script.write_bytes(printed.stdout_bytes)

    screen, terminal = open_terminal()
    process = subprocess.Popen(
        [sys.executable, "-c", _OWN_TERMINAL, *_SHELLS[shell]],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "PS1": "> "},
    )
    os.close(terminal)
    try:
        if shell == "zsh":
            os.write(screen, b"autoload -Uz compinit; compinit -u -D\r")
        os.write(screen, f"source {shlex.quote(str(script))}; echo rea''dy\r".encode())
        read_until(screen, "ready")
        # Tab completes the command and the run.
        os.write(screen, b"batchlock sho\t20260314\t--json > shown.json; exit\r")
        text = read_until(screen, None)
        process.wait(TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.wait(TIMEOUT_SECONDS)
        os.close(screen)
    assert Path("shown.json").exists(), text
    content = json.loads(Path("shown.json").read_text("utf-8"))
    assert _RUN_ID in content["message"], content
