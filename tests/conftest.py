"""The fixtures that tests of several folders use."""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import keyring
import pytest
from keyrings.alt.file import PlaintextKeyring
from support.commands import (
    MEASUREMENT,
    SIGNALS,
    TIMEOUT_SECONDS,
    CommandResult,
    RunCommand,
    command,
    kill_leftover_runs,
)
from support.examples import examples
from support.forked_reader import CAN_FORK, ForkedReader, start_server
from support.http_server import PROXY_VARIABLES, SELF_SIGNED
from support.loops import running_loop
from support.paths import CERTIFICATE, ROOT
from support.postgres import PostgresServer
from support.postgres import start_server as start_postgres
from support.zoho import StandIn, Start, stand_in_on

from batchlock.cli import run_command
from batchlock.plan import child

# Hypothesis fails an example that takes over 200 ms, which depends on the load of the machine.
hypothesis.settings.register_profile("without_deadline", deadline=None, max_examples=examples(100))
hypothesis.settings.load_profile("without_deadline")

# One for each test of this process.
_NUMBERS = itertools.count()


def pytest_configure() -> None:
    """Restore the default action of the signals that end a command, in case they are ignored.

    A background job of a script, and `nohup`, start pytest with SIGINT or SIGHUP ignored. The
    commands under test would inherit that, and could not be interrupted.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(
                number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for the tests of this process."""
    # Not in pytest's own folder: as root the server runs as another user, and every new session of
    # pytest takes that user's right to that folder away.
    with tempfile.TemporaryDirectory(prefix="batchlock-postgres-") as folder:
        server = start_postgres(Path(folder) / "data")
        yield server
        server.stop()


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Make a PostgreSQL database with the tables of batchlock, and return its address."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Make a PostgreSQL database without tables, and return its address."""
    with postgres_server.database(is_empty=True) as url:
        yield url


@pytest.fixture(scope="session")
def fork_server() -> None:
    """Start the process from which the readers of this process are forked."""
    if CAN_FORK:
        start_server()


@pytest.fixture
def new_readers() -> None:
    """Let this process start each reader process anew, as batchlock does, instead of by a fork."""


@pytest.fixture(autouse=True)
def forked_readers(
    request: pytest.FixtureRequest, fork_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let this process fork its reader processes, which saves loading their modules each time."""
    if CAN_FORK and "new_readers" not in request.fixturenames:
        monkeypatch.setattr(child, "ReaderProcess", ForkedReader)


@pytest.fixture
def measured(isolated: Path, new_readers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that a test starts measure their coverage."""
    for name, value in MEASUREMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def isolated(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Give every test an empty home and current folder, and none of the user's settings."""
    for name in list(os.environ):
        # Measuring its coverage doubles the CPU time of a process. Tests in this process, and those
        # that ask for `measured`, cover the code that other processes run.
        if name.startswith(("BATCHLOCK_", "XDG_")) or name in MEASUREMENT:
            monkeypatch.delenv(name)
    # To load the hundreds of certificates of a system takes a third of the CPU time of a command.
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    # Not `mktemp(numbered=True)`: to find the next number, it reads the folders of all tests.
    folder = tmp_path_factory.mktemp(f"isolated{next(_NUMBERS)}", numbered=False)
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    # platformdirs derives the user's folders from these: HOME on POSIX, the others on Windows.
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.chdir(work)
    yield work
    kill_leftover_runs(home, work)


@pytest.fixture
def samples_copy(isolated: Path) -> Path:
    """Return the current folder, with the samples in it as in a clone."""
    shutil.copytree(
        ROOT / "samples",
        isolated / "samples",
        ignore=lambda _, names: [name for name in names if "-results-" in name],
    )
    return isolated


@pytest.fixture
def run_subprocess() -> RunCommand:
    """Return a function that runs a command in a process of its own."""

    def run(*arguments: object, timeout: float = TIMEOUT_SECONDS) -> CommandResult:
        completed = subprocess.run(
            command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        return CommandResult(completed.returncode, completed.stdout, completed.stderr)

    return run


@pytest.fixture
def run_in_process(capfd: pytest.CaptureFixture[str]) -> Iterator[RunCommand]:
    """Return a function that runs a command in this process: no other process has to start."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}

    def run(*arguments: object) -> CommandResult:
        capfd.readouterr()
        code = run_command([str(argument) for argument in arguments])
        streams = capfd.readouterr()
        return CommandResult(code, streams.out, streams.err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def stand_in_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread, for all stand-ins of the session."""
    with running_loop("stand-ins") as loop:
        yield loop


@pytest.fixture
def file_keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process and those that it starts use a keyring that is a file in the home folder."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    before = keyring.get_keyring()
    keyring.set_keyring(PlaintextKeyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """Write a key and its certificate, which no system trusts."""
    path = tmp_path / "self-signed.pem"
    path.write_text(SELF_SIGNED, encoding="ascii")
    return path


@pytest.fixture
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls use no proxy and no certificates of the user."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def stand_in(stand_in_loop: asyncio.AbstractEventLoop) -> Iterator[Start]:
    """Return a function that starts a stand-in with the options of `batchlock simulate`.

    It listens in a thread of this process, which takes milliseconds; the process of the command
    would take half a second of CPU. It ends with the test.
    """
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(stand_in_on(stand_in_loop, *options))


@pytest.fixture
def org(stand_in: Start) -> StandIn:
    """Start a stand-in with the default behaviour and write a configuration for it."""
    zoho = stand_in()
    zoho.config(state_directory="state")
    return zoho
