"""Tests that no secret of any kind is in any output or file."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand, command
from support.sheets import rows, sheet
from support.zoho import StandIn, Start

from batchlock import config
from batchlock.execute import connection_to
from batchlock.zoho.credentials import load_credentials
from batchlock.zoho.oauth import OAuthClient

SECRETS = {
    "client_secret": "hush-client-secret-1f3a",
    "refresh_token": "1000.hush-refresh-token.2b4c",
    "code": "1000.hush-grant-code.3c5d",
    "proxy": "hush-proxy-password-4d6e",
}
STATE = Path("state")
# Files of the user that hold secrets on purpose.
SECRET_FILES = ("secret.client", "secret.refresh", "config.yaml")


def configure(
    org: StandIn, *, zoho: dict[str, Any] | None = None, network: dict[str, Any] | None = None
) -> None:
    """Configure one secret as a file and one as a command."""
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
    tokens = []
    for path in (STATE / "tokens").glob("*.json"):
        assert path.stat().st_mode & 0o077 == 0
        tokens += [entry["access_token"] for entry in json.loads(path.read_text()).values()]
    return tokens


def search(*outputs: str) -> list[str]:
    """Return the places of all secrets in `outputs` and in all files that are not for secrets."""
    secrets = [*SECRETS.values(), *access_tokens()]
    places = {f"output {number}": text.encode() for number, text in enumerate(outputs)}
    for path in [*Path.cwd().rglob("*"), *Path(os.environ["HOME"]).rglob("*")]:
        is_secret_file = path.name in SECRET_FILES or path.parent == (STATE / "tokens").absolute()
        if path.is_file() and not is_secret_file:
            places[str(path)] = path.read_bytes()
    return [f"{secret} in {place}" for secret in secrets for place, content in places.items()
            if secret.encode() in content]  # fmt: skip


class EchoHandler(BaseHTTPRequestHandler):
    """Echoes every request in its answer, as a proxy for debugging does."""

    status = 400

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        message = f"{self.headers} {self.rfile.read(length)!r}"
        code = "INVALID_DATA" if self.status == 400 else "INTERNAL_ERROR"
        body = json.dumps({"code": code, "message": message, "details": {}, "status": "error"})
        self.respond(body.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.respond(json.dumps({"error": f"cannot take {body}"}).encode())

    def do_GET(self) -> None:
        self.do_PUT()

    def do_CONNECT(self) -> None:
        self.do_PUT()

    def respond(self, body: bytes) -> None:
        self.send_response(200 if self.command == "POST" else self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=[400, 500])
def echo_server(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Echo", (EchoHandler,), {"status": request.param})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(TIMEOUT_SECONDS)


def test_a_failing_run_reveals_no_secret(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--faults", "server_error=0.4", "--faults", "proxy_page=0.4", "--seed", "1")
    configure(zoho)
    completed = run_in_process("run", sheet("in.csv", rows(30)), "-vv", "--json")
    show = run_in_process("show", completed.json["run_id"], "-vv")
    assert completed.code == 3
    assert len(access_tokens()) == 1
    assert search(completed.out, completed.err, show.out, show.err) == []


def test_a_server_that_echoes_requests_reveals_no_token(
    org: StandIn, run_in_process: RunCommand, echo_server: str
) -> None:
    configure(org, zoho={"api_url": echo_server})
    completed = run_in_process("run", sheet("in.csv", rows(3)), "-vv", "--json")
    assert completed.code == 3
    assert len(access_tokens()) == 1
    assert search(completed.out, completed.err) == []


def test_a_token_endpoint_that_echoes_requests_reveals_no_secret(
    org: StandIn, run_in_process: RunCommand, echo_server: str
) -> None:
    configure(org, zoho={"accounts_url": echo_server})
    completed = run_in_process("run", sheet("in.csv", rows(1)), "-vv")
    assert completed.code in (5, 6)
    assert search(completed.out, completed.err) == []


@pytest.mark.parametrize("source", ["setting", "environment"])
def test_a_refusing_proxy_reveals_no_password(
    org: StandIn,
    run_in_process: RunCommand,
    echo_server: str,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = echo_server.replace("http://", f"http://me:{SECRETS['proxy']}@")
    network = {"proxy": proxy} if source == "setting" else {}
    if source == "environment":
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    configure(
        org,
        zoho={"accounts_url": "https://accounts.invalid", "api_url": "https://api.invalid"},
        network=network,
    )
    completed = run_in_process("run", sheet("in.csv", rows(1)), "-vv", "--json")
    assert completed.code == 6
    assert "refused to connect" in completed.json["message"]
    assert search(completed.out, completed.err) == []


def test_an_invalid_setting_is_reported_without_its_secret(
    org: StandIn, run_in_process: RunCommand
) -> None:
    configure(org, network={"proxy": f"ftp://me:{SECRETS['proxy']}@proxy"})
    completed = run_in_process("run", sheet("in.csv", rows(1)), "-vv", "--json")
    assert completed.code == 2
    assert search(completed.out, completed.err) == []


def test_a_traceback_in_the_log_reveals_no_secret(
    org: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(org)
    monkeypatch.setattr(
        "batchlock.zoho.replies.orjson", None
    )  # every call raises an unexpected exception
    completed = run_in_process("run", sheet("in.csv", rows(2)), "-vv", "--json")
    (log,) = STATE.rglob("batchlock.log")
    assert completed.code == 1
    assert "Traceback" in log.read_text("utf-8")
    assert len(access_tokens()) == 1
    assert search(completed.out, completed.err) == []


@POSIX
def test_the_process_list_reveals_no_secret(stand_in: Start) -> None:
    zoho = stand_in("--latency", "100ms")
    configure(zoho)
    sheet("in.csv", rows(40))
    with subprocess.Popen(
        command("run", "in.csv", "--in-flight", 2),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        command_lines: list[str] = []
        while process.poll() is None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    command_lines.append(path.read_bytes().decode(errors="replace"))
                except OSError:
                    continue
            command_lines = list(set(command_lines))
    assert process.returncode == 0
    if sys.platform == "linux":
        assert any("batchlock.plan.child_main" in line for line in command_lines)
    assert search(*command_lines) == []


def wait_for_hidden_input(terminal: int) -> None:
    """Wait until the terminal echoes no input: the prompt is written a moment before that."""
    termios = pytest.importorskip("termios")
    deadline_monotonic = time.monotonic() + TIMEOUT_SECONDS
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        assert time.monotonic() < deadline_monotonic, "the input is still echoed"
        time.sleep(0.01)


def test_the_code_of_a_login_is_stored_nowhere(org: StandIn, echo_server: str) -> None:
    pty = pytest.importorskip("pty")
    Path("config.yaml").write_text(f"zoho: {{accounts_url: '{echo_server}'}}\n", "utf-8")
    terminal, terminal_of_process = pty.openpty()
    with subprocess.Popen(
        command("login", "--self-client", "-vv"),
        stdin=terminal_of_process,
        stdout=terminal_of_process,
        stderr=terminal_of_process,
        start_new_session=True,
    ) as process:
        os.close(terminal_of_process)
        screen = ""
        inputs = iter([("id", "me"), ("secret (not", SECRETS["client_secret"]),
                        ("Code (not", SECRETS["code"])])  # fmt: skip
        prompt, text = next(inputs)
        while True:
            try:
                part = os.read(terminal, 4096).decode()
            except OSError:  # the other side has closed
                break
            screen += part
            if prompt and prompt in screen.rpartition("\n")[2]:
                if "(not" in prompt:
                    wait_for_hidden_input(terminal)
                os.write(terminal, f"{text}\n".encode())
                prompt, text = next(inputs, ("", ""))
    os.close(terminal)
    assert process.returncode in (5, 6)
    assert "Code (not shown)" in screen
    assert search(screen) == []


def test_no_repr_reveals_a_secret(org: StandIn) -> None:
    proxy = f"http://me:{SECRETS['proxy']}@127.0.0.1:1"
    configure(org, network={"proxy": proxy})
    settings = config.load(environment={"BATCHLOCK_ZOHO__CLIENT_ID": "me"})
    credentials = load_credentials(settings.zoho, settings.network, "default")
    oauth_client = OAuthClient(
        accounts_url=org.url,
        client_id="me",
        client_secret=SecretStr(SECRETS["client_secret"]),
        refresh_token=SecretStr(SECRETS["refresh_token"]),
        data_center="us",
        environment="production",
    )

    async def repr_of_connection() -> str:
        direct = config.load(environment={"BATCHLOCK_NETWORK__PROXY": ""})
        async with connection_to(direct, credentials) as connection:
            await connection.first_token()
            return f"{connection!r} {connection.client!r} {vars(connection.client)!r}"

    configure(org)
    outputs = [repr(settings), str(settings), repr(credentials), repr(oauth_client)]
    assert search(*outputs, asyncio.run(repr_of_connection())) == []
    assert len(access_tokens()) == 1
