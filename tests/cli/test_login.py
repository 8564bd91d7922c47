import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import POSIX, SIGNALS, TIMEOUT_SECONDS, RunCommand, command
from support.sheets import rows, sheet
from support.terminal import open_terminal, read_until
from support.zoho import StandIn


def login(
    code: str, then: Callable[["subprocess.Popen[bytes]"], None] | None = None
) -> tuple[int, str]:
    """Answer the questions of `batchlock login` at a terminal; return exit code and screen."""
    ours, theirs = open_terminal()
    try:
        process = subprocess.Popen(
            command("login"), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        screen = ""
        for prompt, answer in (
            ("Client id", "me"),
            ("Client secret (not shown)", "hush-hush"),
            ("Code (not shown)", code),
        ):
            # click writes the prompt; getpass then switches the echo off and writes the space.
            screen += read_until(ours, f"{prompt}: ")
            os.write(ours, f"{answer}\n".encode())
        if then is not None:
            then(process)
        screen += read_until(ours, None)
        return process.wait(TIMEOUT_SECONDS), screen
    finally:
        os.close(ours)


def test_login_stores_a_token_that_works(org: StandIn, run_in_process: RunCommand) -> None:
    Path("config.yaml").write_text(f"zoho:\n  accounts_url: {org.url}\n", "utf-8")
    code, screen = login("1000.the-code")
    assert code == 0, screen
    assert "hush-hush" not in screen
    assert "1000.the-code" not in screen
    assert "ZohoCRM.modules.lockinginformation.ALL" in screen
    _, _, settings = screen.replace("\r", "").partition("org: default\n")
    Path("config.yaml").write_text(
        settings.replace("zoho:\n", f"zoho:\n  accounts_url: {org.url}\n  api_url: {org.url}\n"),
        "utf-8",
    )
    secrets = list(Path(os.environ["HOME"]).rglob("default.*"))
    assert sorted(path.name for path in secrets) == [
        "default.client_secret",
        "default.refresh_token",
    ]
    assert {path.stat().st_mode & 0o077 for path in secrets} == {0}
    assert run_in_process("run", sheet("in.csv", rows(1))).code == 0


def test_login_refuses_a_code_that_was_used(org: StandIn) -> None:
    Path("config.yaml").write_text(f"zoho:\n  accounts_url: {org.url}\n", "utf-8")
    code, screen = login("used")
    assert code == 5
    assert "invalid_code" in screen
    assert list(Path(os.environ["HOME"]).rglob("default.*")) == []


def test_login_without_a_terminal_is_refused(run_subprocess: RunCommand) -> None:
    completed = run_subprocess("login")
    assert completed.code == 2
    assert completed.err.endswith(
        "`batchlock login` asks questions, and got no answer. Type it at a terminal.\n"
    )


@POSIX
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_login_at_any_question(number: signal.Signals) -> None:
    ours, theirs = open_terminal()
    try:
        process = subprocess.Popen(
            command("login"), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        read_until(ours, "Client id")
        os.write(ours, b"me\n")
        read_until(ours, "Client secret (not shown)")
        process.send_signal(number)
        screen = read_until(ours, None)
        assert process.wait(TIMEOUT_SECONDS) == 128 + number
    finally:
        os.close(ours)
    assert "Interrupted" in screen
    assert "Traceback" not in screen


@POSIX
def test_a_signal_ends_login_while_it_waits_for_zoho() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        port = silent_server.getsockname()[1]
        Path("config.yaml").write_text(f"zoho:\n  accounts_url: http://127.0.0.1:{port}\n", "utf-8")

        def interrupt(process: "subprocess.Popen[bytes]") -> None:
            connection, _ = silent_server.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                process.wait(TIMEOUT_SECONDS)

        code, screen = login("1000.the-code", interrupt)
    assert code == 130, screen
    assert "Interrupted by SIGINT." in screen
    assert list(Path(os.environ["HOME"]).rglob("default.*")) == []
