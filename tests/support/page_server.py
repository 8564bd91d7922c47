"""Servers of the web page: in the process of the tests, or in one that can be killed."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from batchlock import config
from batchlock.core.options import RunOptions
from batchlock.core.runs import Run, RunState
from batchlock.store.store import Store
from batchlock.web.auth.passwords import hash_password
from batchlock.web.server import serving
from support.commands import (
    MEASUREMENT,
    TIMEOUT_SECONDS,
    Process,
    command,
    kill_leftover_runs,
)
from support.forked_command import ForkedCommand
from support.forked_reader import CAN_FORK
from support.forked_run import forked_runs, kill_forked_runs, prepare_server
from support.loops import entered, running_loop
from support.visitor import Visitor, eventually
from support.zoho import StandIn

PASSWORD = "a long password"
# Made by 0.1.0 from PASSWORD.
SCRYPT_HASH = (
    "scrypt$32768$8$1$AAECAwQFBgcICQoLDA0ODw==$0gimb+mOlvNOKdwsWP"
    "elhPJ8QAAHTi/Lt5aWV6aNKMzzlMnif2IWX/WG7iO3sVjAvDp9WNtHiF9eg0g2BDtllA=="
)


@dataclass(slots=True)
class PageServer:
    url: str
    output: list[str]
    """The lines that it has printed."""
    folder: Path
    """The folder with its configuration and its state."""
    metrics_port: int | None = None
    """The port of `web.metrics_listen`."""

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def link(self) -> str:
        """Return the path of the newest sign-in link."""
        links = [line.strip() for line in self.output if "/enter/" in line]
        return urlsplit(links[-1]).path

    def visitor(self) -> Visitor:
        """Return a visitor who has signed in by the link."""
        visitor = Visitor(self.url)
        link = self.link()
        assert visitor.get(link).status == 303
        eventually(lambda: self.link() != link)
        visitor.enter()
        return visitor

    def running(self, org: str = "default") -> Run | None:
        """Return the run that is being sent, by its record; None when there is none."""
        with Store(self.state) as store:
            return next(iter(store.runs.in_state(org, RunState.RUNNING)), None)


@dataclass(slots=True, kw_only=True)
class PageProcess(PageServer):
    process: Process

    def kill(self) -> None:
        """End the server as a crash would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def served_page(folder: Path, *, simulate: bool = False) -> Iterator[PageServer]:
    """Serve the page in a thread of this process, with the configuration in a folder.

    The runs that people start are sent by processes of their own, which are forked.
    """
    file = folder / "config.yaml"
    settings = config.load(file=file, environment={})
    options = RunOptions(simulate=simulate, config=file)
    output: list[str] = []
    page = serving(settings, options, host="127.0.0.1", port=0, on_link=output.append)
    try:
        with forked_runs(), running_loop("page") as loop, entered(loop, page) as served:
            yield PageServer(served.url, output, folder, served.metrics_port)
    finally:
        kill_leftover_runs(folder)


@contextmanager
def page_server(folder: Path, *options: object, is_measured: bool = False) -> Iterator[PageProcess]:
    """Run `batchlock serve` on a free port, with the configuration in a folder.

    It is forked, and so are the processes of its runs, unless their coverage is to be measured.
    """
    arguments = ("serve", "--port", 0, "--config", folder / "config.yaml", *options)
    process: Process
    if is_measured or not CAN_FORK:
        process = new_server(folder, *arguments)
    else:
        process = ForkedCommand(
            [str(argument) for argument in arguments], before=partial(prepare_server, folder)
        )
    output: list[str] = []
    readers = [
        threading.Thread(target=output.extend, args=(stream,), daemon=True)
        for stream in (process.stdout, process.stderr)
        if stream is not None
    ]
    for reader in readers:
        reader.start()
    try:
        eventually(lambda: _url(output) is not None or process.poll() is not None)
        url = _url(output)
        assert url, "".join(output)
        yield PageProcess(url, output, folder, process=process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            kill_leftover_runs(folder)
            kill_forked_runs(folder)
        for reader in readers:
            reader.join(TIMEOUT_SECONDS)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def new_server(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    """Start a server in a new process, which measures its coverage.

    It sees none of the user's settings, so that it can be shared by tests whose home differs.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BATCHLOCK_", "XDG_"))
    }
    environment |= MEASUREMENT
    environment |= dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), str(folder))
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        bufsize=1,
    )


def _url(output: list[str]) -> str | None:
    """Return the address that a server has printed."""
    found = re.search(r"is at (http://\S+)\.", "".join(output))
    return found[1] if found else None


def add_person(folder: Path, name: str, *, database_url: str | None = None) -> None:
    """Add somebody with the password PASSWORD to the page whose folder or database this is."""
    with Store(folder / "state", database_url) as store:
        store.people.put(name, hash_password(PASSWORD))


def signed_in(page: PageServer, name: str, headers: dict[str, str] | None = None) -> Visitor:
    """Return a visitor who has signed in by the password PASSWORD."""
    visitor = Visitor(page.url, headers=headers or {})
    visitor.get("/login")
    answer = visitor.post("/login", {"name": name, "password": PASSWORD})
    assert answer.status == 303, answer.words
    visitor.enter()
    return visitor


def configure_slow(org: StandIn, folder: Path) -> None:
    """Write a configuration for an org into a folder, with two calls in flight."""
    org.config(
        folder / "config.yaml", state_directory=str(folder / "state"), limits={"in_flight": 2}
    )
