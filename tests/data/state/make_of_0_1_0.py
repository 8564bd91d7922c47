"""Make state-0.1.0.zip with the code of 0.1.0 (commit 681052b): a state folder in full use.

    cd / && PYTHON make_of_0_1_0.py state-0.1.0.zip

PYTHON is of an environment with 0.1.0 on Linux. Everything is made by its commands and its page, in
/srv/batchlock, which must not exist. The stand-in for Zoho listens on port 8899.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

FOLDER = Path("/srv/batchlock")
STATE = FOLDER / "state"
BATCHLOCK = (sys.executable, "-P", "-m", "batchlock")
CONFIG = """
org: acme
zoho: {api_url: "http://127.0.0.1:8899", accounts_url: "http://127.0.0.1:8899", client_id: any,
       client_secret: any, refresh_token: any}
limits: {in_flight: 4, per_second: 8}
state_directory: /srv/batchlock/state
"""
TITLES = ("Module", "Record Id", "Lock Id", "Reason")
SLOW = ("--in-flight", "4", "--per-second", "20")
STOPPED = ("--per-second", "5", "--max-runtime", "1s")
# Record ids that the stand-in refuses.
REFUSED = ("990000000000000101", "990000000000000109")


def table(
    name: str, rows: int, *, records: tuple[str, ...] = (), titles: tuple[str, ...] = TITLES
) -> Path:
    """Write a file of rows; the last ones have the given record ids."""
    path = FOLDER / name
    ids = [f"584310400{sum(name.encode()):05d}{row:05d}" for row in range(1, rows + 1)]
    ids[rows - len(records) :] = records
    lines = [";".join(titles)]
    lines += [f"Leads;{one};5843104009{row:09d};audit {row}" for row, one in enumerate(ids, 1)]
    path.write_text("\n".join(lines))
    return path


def batchlock(command: str, *arguments: object, code: int = 0, stdin: str = "") -> None:
    """Run a command."""
    done = subprocess.run(
        [*BATCHLOCK, command, "--config", "batchlock.yaml", *map(str, arguments)],
        cwd=FOLDER,
        input=stdin,
        text=True,
        capture_output=True,
        start_new_session=True,  # without a terminal, passwords are read from the input
        check=False,
    )
    assert done.returncode == code, (done.returncode, done.stderr)


def runs(org: str = "acme") -> list[str]:
    """Return the ids of the runs, oldest first."""
    return sorted(path.stem for path in (STATE / "runs" / org).glob("*.journal"))


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@contextmanager
def background(*command: object) -> Iterator["subprocess.Popen[str]"]:
    """Run a command during the block, then kill it."""
    process = subprocess.Popen(
        [*BATCHLOCK, *map(str, command)],
        cwd=FOLDER,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def sent(run_id: str, org: str = "acme") -> int:
    """Count the rows of a run that were updated."""
    done = subprocess.run(
        [*BATCHLOCK, "show", "--config", "batchlock.yaml", "--json", run_id],
        cwd=FOLDER,
        text=True,
        capture_output=True,
        check=False,
    )
    return int(json.loads(done.stdout)["counts"]["updated"])


class Visitor:
    """A person at the page."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.csrf = ""

    def get(self, path: str) -> str:
        """Return a page."""
        return self._open(urllib.request.Request(self.url + path))[1]

    def post(self, path: str, **form: str) -> str:
        """Send a form; return the address that it led to."""
        data = urlencode({"csrf": self.csrf, **form}).encode()
        return self._open(urllib.request.Request(self.url + path, data))[0]

    def upload(self, path: Path) -> str:
        """Upload a file and wait for its check; return its address."""
        parts = [("csrf", "", self.csrf), ("file", f'; filename="{path.name}"', path.read_text())]
        body = "".join(
            f'--edge\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'
            for name, more, value in parts
        )
        request = urllib.request.Request(self.url + "/files", f"{body}--edge--\r\n".encode())
        request.add_header("Content-Type", "multipart/form-data; boundary=edge")
        address = self._open(request)[0]
        eventually(lambda: "being read" not in self.get(address))
        return address

    def start(self, path: Path) -> str:
        """Upload a file and start it; return the id of its run."""
        return self.post(f"{self.upload(path)}/start").rpartition("/")[2]

    def _open(self, request: urllib.request.Request) -> tuple[str, str]:
        with self.opener.open(request) as response:
            text = response.read().decode()
        if found := re.search(r'name="csrf" (?:content|value)="(\w+)"', text):
            self.csrf = found[1]
        return response.url.removeprefix(self.url), text


def make_runs_of_the_command_line() -> None:
    """Finish, retry, refuse, stop, begin anew, and kill a run each."""
    batchlock("run", table("finished.csv", 12))
    batchlock("run", table("refused.csv", 8, records=REFUSED), code=3)
    batchlock("retry", runs()[-1], code=3)
    batchlock("run", table("strict.csv", 5, records=("x",)), "--strict", code=3)
    anew = table("anew.csv", 10)
    batchlock("run", anew, *STOPPED, code=6)
    batchlock("run", anew, "--fresh")
    batchlock("run", table("deadline.csv", 12), *STOPPED, code=6)
    killed = table("killed.csv", 100)
    with background("run", "--config", "batchlock.yaml", killed, "--simulate", *SLOW):
        eventually(lambda: bool(runs("simulator")))
        eventually(lambda: sent(runs("simulator")[0]) > 8)


def make_runs_of_the_page() -> None:
    """Pause, stop and begin a run, with one that waits; then kill the server and its worker."""
    batchlock("serve", "--add-user", "Anna", stdin="correct horse\ncorrect horse\n")
    with background("serve", "--config", "batchlock.yaml", "--port", "0") as server:
        assert server.stdout is not None
        while not (found := re.search(r"is at (http://\S+)\.", server.stdout.readline())):
            assert server.poll() is None
        anna = Visitor(found[1])
        anna.get("/login")
        anna.post("/login", name="Anna", password="correct horse")
        anna.get("/")
        renamed = table("renamed.csv", 6, titles=("Was", "Wer", "Womit", "Weshalb"))
        address = anna.upload(renamed)
        anna.post(
            f"{address}/read", module="Was", record_id="Wer", lock_id="Womit", reason="Weshalb"
        )
        eventually(lambda: "being read" not in anna.get(address))
        paused = anna.start(table("paused.csv", 60))
        stopped = anna.start(table("stopped.csv", 4))
        anna.post(f"/runs/{stopped}/stop")
        eventually(lambda: sent(paused) > 4)
        anna.post(f"/runs/{paused}/pause")
        eventually(lambda: "Paused by Anna" in anna.get(f"/runs/{paused}"))
        working = anna.start(table("working.csv", 60))
        anna.start(table("waiting.csv", 4))
        eventually(lambda: sent(working) > 4)
        holder = json.loads((STATE / "locks" / "acme.run").read_text())
        assert holder["run_id"] == working
        server.kill()
        os.kill(holder["process"], signal.SIGKILL)


def main(target: Path) -> None:
    """Make the folder and pack it."""
    FOLDER.mkdir()
    (FOLDER / "batchlock.yaml").write_text(CONFIG)
    with background("simulate", "--port", "8899", "--latency", "200ms") as simulator:
        assert simulator.stdout is not None
        simulator.stdout.readline()
        make_runs_of_the_command_line()
        make_runs_of_the_page()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(STATE.rglob("*")):
            # The log, the tokens and the pace are not state that is carried over.
            if path.is_file() and path.parent.name not in ("logs", "tokens", "pace"):
                archive.write(path, path.relative_to(STATE))
    shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
