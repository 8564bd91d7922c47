import asyncio
import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import openpyxl
import pytest
import yaml

from batchlock.cli import run_command
from batchlock.simulator import serving

TITLES = ("Module", "Record Id", "Lock Id", "Reason")
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
PATIENCE = 60.0

Row = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object and nothing else."""
        told = json.loads(self.out)
        assert isinstance(told, dict)
        return told


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in for Zoho, beside the commands that talk to it."""

    url: str

    def config(self, path: Path = Path("config.yaml"), **sections: Any) -> Path:
        """Write a configuration that points to it; `sections` are settings beside that."""
        zoho = {
            "api_url": self.url,
            "accounts_url": self.url,
            "client_id": "me",
            "client_secret": "hush",
            "refresh_token": "mine",
        }
        told = {**sections, "zoho": {**zoho, **sections.get("zoho", {})}}
        path.write_text(yaml.safe_dump(told), "utf-8")
        return path

    def state(self) -> dict[str, Any]:
        return self._inspect("state")

    def locks(self) -> dict[str, Any]:
        return self._inspect("locks")

    def calls(self, kind: str = "put") -> dict[str, Any]:
        return self._inspect(f"calls?kind={kind}")

    def _inspect(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/simulator/{what}", timeout=PATIENCE) as answer:
            told = json.load(answer)
        assert isinstance(told, dict)
        return told


Start = Callable[..., StandIn]
Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def isolated(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Keep every test away from the user's own folders and settings."""
    for name in list(os.environ):
        if name.startswith(("BATCHLOCK_", "XDG_")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    work = tmp_path_factory.mktemp("work")
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.chdir(work)
    yield work
    end_what_goes_on(home, work)


@pytest.fixture
def cli() -> Run:
    """Run a command in a process of its own."""

    def run(*arguments: object, timeout: float = PATIENCE) -> Done:
        done = subprocess.run(
            command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command in this process: faster, and the same but for the start."""
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        code = run_command([str(one) for one in arguments])
        told = capfd.readouterr()
        return Done(code, told.out, told.err)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def stand_in() -> Iterator[Start]:
    """Start `batchlock simulate` with the options given, and end it after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: object) -> StandIn:
        process = subprocess.Popen(
            command("simulate", *options), stdout=subprocess.PIPE, encoding="utf-8"
        )
        started.append(process)
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"http://\S+", first)
        assert found is not None
        return StandIn(found[0])

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@pytest.fixture
def org() -> Iterator[StandIn]:
    """Start a healthy org in a thread, which is quicker, and write a configuration for it."""
    up: Queue[str] = Queue()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with serving() as simulator:
            up.put(simulator.url)
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    zoho = StandIn(up.get(timeout=PATIENCE))
    zoho.config(state_directory="state")
    yield zoho
    loop.call_soon_threadsafe(over.set)
    thread.join(PATIENCE)
    loop.close()


def end_what_goes_on(*folders: Path) -> None:
    """End the runs of the page in these folders: they outlive the server, and the test.

    Only where a process can be seen to be the one, so that no other is hit.
    """
    for pulse in (one for folder in folders for one in folder.rglob("web/desks/*/pulse")):
        with suppress(OSError):  # it has ended meanwhile
            process = json.loads(pulse.read_text())["process"]
            told = Path(f"/proc/{process}/cmdline").read_bytes()
            if os.fsencode(pulse.parent) in told:
                os.kill(process, signal.SIGKILL)


@contextmanager
def started(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Start a command, and kill it if it is still there when the block ends."""
    process = subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "batchlock", *map(str, arguments)]


def record(number: int) -> str:
    return f"5843104{number:012d}"


def lock(number: int) -> str:
    return f"6843104{number:012d}"


def rows(count: int, *, first: int = 1, module: str = "Leads") -> list[Row]:
    numbers = range(first, first + count)
    return [(module, record(n), lock(n), f"reason {n}") for n in numbers]


def sheet(name: str, content: Sequence[Sequence[str]], titles: Sequence[str] = TITLES) -> Path:
    """Write a CSV file."""
    path = Path(name)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([titles, *content])
    return path


def lines(path: str | Path) -> list[dict[str, Any]]:
    """Read the lines of a results file, each by its titles."""
    path = Path(path)
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [dict(line) for line in csv.DictReader(file)]
    book = openpyxl.load_workbook(path, read_only=True)
    try:
        content = list(book["Results"].iter_rows(values_only=True))
    finally:
        book.close()
    titles = [str(title) for title in content[0]]
    return [dict(zip(titles, line, strict=True)) for line in content[1:]]


def balanced(told: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts that are not zero, of an object of `--json` whose totals balance."""
    counts: dict[str, int] = told["counts"]
    assert sum(counts.values()) == told["rows"]
    return {result: count for result, count in counts.items() if count}
