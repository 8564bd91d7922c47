"""Secrets of every kind, looked for wherever something is written or shown."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from support.commands import PATIENCE, POSIX, Run, command
from support.sheets import rows, sheet
from support.zoho import StandIn, Start, connected

from batchlock import config
from batchlock.zoho.credentials import load_credentials
from batchlock.zoho.oauth import OAuthClient

SECRETS = {
    "client_secret": "hush-client-secret-1f3a",
    "refresh_token": "1000.hush-refresh-token.2b4c",
    "code": "1000.hush-grant-code.3c5d",
    "proxy": "hush-proxy-password-4d6e",
}
STATE = Path("state")
KEPT = ("secret.client", "secret.refresh", "config.yaml")
"""Where the user keeps secrets."""


def configure(
    org: StandIn, *, zoho: dict[str, Any] | None = None, network: dict[str, Any] | None = None
) -> None:
    """Give one secret by a file and one by a command."""
    Path("secret.client").write_text(SECRETS["client_secret"])
    Path("secret.refresh").write_text(SECRETS["refresh_token"])
    show = f'"{sys.executable}" -c "print(open(\'secret.refresh\').read())"'
    org.config(
        zoho={
            "client_secret": None,
            "client_secret_file": "secret.client",
            "refresh_token": None,
            "refresh_token_command": show,
            **(zoho or {}),
        },
        network=network or {},
        state_directory=str(STATE),
        retry={"attempts": 2, "first_wait": 0.01, "give_up_after": 1, "timeout": 10},
    )


def access_tokens() -> list[str]:
    found = []
    for path in (STATE / "tokens").glob("*.json"):
        assert path.stat().st_mode & 0o077 == 0
        found += [one["access_token"] for one in json.loads(path.read_text()).values()]
    return found


def search(*shown: str) -> list[str]:
    """Return where any secret is, of what was shown and of all files but those for secrets."""
    secrets = [*SECRETS.values(), *access_tokens()]
    places = {f"shown {number}": text.encode() for number, text in enumerate(shown)}
    for path in [*Path.cwd().rglob("*"), *Path(os.environ["HOME"]).rglob("*")]:
        kept = path.name in KEPT or path.parent == (STATE / "tokens").absolute()
        if path.is_file() and not kept:
            places[str(path)] = path.read_bytes()
    return [f"{secret} in {place}" for secret in secrets for place, content in places.items()
            if secret.encode() in content]  # fmt: skip


class Parrot(BaseHTTPRequestHandler):
    """Says back what it was told, as a debugging proxy or a careless server does."""

    status = 400

    def do_PUT(self) -> None:
        told = f"{self.headers} {self.rfile.read(int(self.headers['Content-Length'] or 0))!r}"
        code = "INVALID_DATA" if self.status == 400 else "INTERNAL_ERROR"
        body = json.dumps({"code": code, "message": told, "details": {}, "status": "error"})
        self.answer(body.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(json.dumps({"error": f"cannot take {body}"}).encode())

    def do_GET(self) -> None:
        self.do_PUT()

    def do_CONNECT(self) -> None:
        self.do_PUT()

    def answer(self, body: bytes) -> None:
        self.send_response(200 if self.command == "POST" else self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=[400, 500])
def parrot(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Told", (Parrot,), {"status": request.param})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(PATIENCE)


def test_a_run_that_fails_shows_no_secret(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--faults", "server_error=0.4", "--faults", "proxy_page=0.4", "--seed", "1")
    configure(zoho)
    done = here("run", sheet("in.csv", rows(30)), "-vv", "--json")
    shown = here("show", done.json["run_id"], "-vv")
    assert done.code == 3
    assert len(access_tokens()) == 1
    assert search(done.out, done.err, shown.out, shown.err) == []


def test_a_server_that_says_back_what_it_was_told_spreads_no_token(
    org: StandIn, here: Run, parrot: str
) -> None:
    configure(org, zoho={"api_url": parrot})
    done = here("run", sheet("in.csv", rows(3)), "-vv", "--json")
    assert done.code == 3
    assert len(access_tokens()) == 1
    assert search(done.out, done.err) == []


def test_a_sign_in_that_says_back_what_it_was_told_spreads_no_secret(
    org: StandIn, here: Run, parrot: str
) -> None:
    configure(org, zoho={"accounts_url": parrot})
    done = here("run", sheet("in.csv", rows(1)), "-vv")
    assert done.code in (5, 6)
    assert search(done.out, done.err) == []


@pytest.mark.parametrize("by", ["setting", "environment"])
def test_a_proxy_that_refuses_spreads_no_password(
    org: StandIn, here: Run, parrot: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = parrot.replace("http://", f"http://me:{SECRETS['proxy']}@")
    network = {"proxy": proxy} if by == "setting" else {}
    if by == "environment":
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    configure(
        org,
        zoho={"accounts_url": "https://accounts.invalid", "api_url": "https://api.invalid"},
        network=network,
    )
    done = here("run", sheet("in.csv", rows(1)), "-vv", "--json")
    assert done.code == 6
    assert "refused to connect" in done.json["message"]
    assert search(done.out, done.err) == []


def test_a_setting_that_does_not_fit_is_told_without_its_secret(org: StandIn, here: Run) -> None:
    configure(org, network={"proxy": f"ftp://me:{SECRETS['proxy']}@proxy"})
    done = here("run", sheet("in.csv", rows(1)), "-vv", "--json")
    assert done.code == 2
    assert search(done.out, done.err) == []


def test_a_traceback_in_the_log_holds_no_secret(
    org: StandIn, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(org)
    monkeypatch.setattr(
        "batchlock.zoho.replies.orjson", None
    )  # so that every call ends in a surprise
    done = here("run", sheet("in.csv", rows(2)), "-vv", "--json")
    (log,) = STATE.rglob("batchlock.log")
    assert done.code == 1
    assert "Traceback" in log.read_text("utf-8")
    assert len(access_tokens()) == 1
    assert search(done.out, done.err) == []


@POSIX
def test_the_process_list_holds_no_secret(stand_in: Start) -> None:
    zoho = stand_in("--latency", "100ms")
    configure(zoho)
    sheet("in.csv", rows(40))
    with subprocess.Popen(
        command("run", "in.csv", "--in-flight", 2),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        seen: list[str] = []
        while process.poll() is None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(path.read_bytes().decode(errors="replace"))
                except OSError:
                    continue
            seen = list(set(seen))
    assert process.returncode == 0
    if sys.platform == "linux":
        assert any("batchlock.plan.child_main" in line for line in seen)
    assert search(*seen) == []


def test_a_grant_code_is_kept_nowhere(org: StandIn, parrot: str) -> None:
    pty = pytest.importorskip("pty")
    Path("config.yaml").write_text(f"zoho: {{accounts_url: '{parrot}'}}\n", "utf-8")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("login", "-vv"), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        screen = ""
        answers = iter([("id", "me"), ("secret (not", SECRETS["client_secret"]),
                        ("Code (not", SECRETS["code"])])  # fmt: skip
        words, answer = next(answers)
        while True:
            try:
                part = os.read(ours, 4096).decode()
            except OSError:  # the other side has closed
                break
            screen += part
            if words and words in screen.rpartition("\n")[2]:
                threading.Event().wait(0.2)  # the prompt is written before the echo is off
                os.write(ours, f"{answer}\n".encode())
                words, answer = next(answers, ("", ""))
    os.close(ours)
    assert process.returncode in (5, 6)
    assert "Code (not shown)" in screen
    assert search(screen) == []


def test_no_repr_shows_a_secret(org: StandIn) -> None:
    proxy = f"http://me:{SECRETS['proxy']}@127.0.0.1:1"
    configure(org, network={"proxy": proxy})
    settings = config.load(environment={"BATCHLOCK_ZOHO__CLIENT_ID": "me"})
    account = load_credentials(settings.zoho, settings.network, "default")
    told = OAuthClient(
        accounts_url=org.url,
        client_id="me",
        client_secret=SecretStr(SECRETS["client_secret"]),
        refresh_token=SecretStr(SECRETS["refresh_token"]),
        data_center="us",
        environment="production",
    )

    async def use() -> str:
        direct = config.load(environment={"BATCHLOCK_NETWORK__PROXY": ""})
        async with connected(direct, account) as way:
            await way.first_token()
            return f"{way!r} {way.client!r} {vars(way.client)!r}"

    configure(org)
    assert (
        search(repr(settings), str(settings), repr(account), repr(told), asyncio.run(use())) == []
    )
    assert len(access_tokens()) == 1
