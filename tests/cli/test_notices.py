"""Notices tell how a command fares, and change nothing about it."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand
from support.forked_command import forked
from support.http_server import SELF_SIGNED
from support.notice_server import NoticeServer, closed_port, notice_server
from support.runs import NOT_LOCKED, wait_until
from support.sheets import balanced, lines, lock, rows, sheet
from support.zoho import StandIn

SECRET_PATH = "s3cr3t-1f3a"
CONTENT = [*rows(20), ("Leads", NOT_LOCKED, lock(99), "a reason")]


def configure(org: StandIn, **notify: Any) -> None:
    org.config(state_directory="state", notify=notify)


@contextmanager
def bad_address(kind: str) -> Iterator[str]:
    """Yield an address of a server with one fault."""
    if kind == "refuses":
        yield f"http://127.0.0.1:{closed_port()}"
    elif kind == "hangs":
        with notice_server(hangs=True) as server:
            yield server.url
    elif kind == "faulty":
        with notice_server(*[500] * 20) as server:
            yield server.url
    else:
        pem = Path("self-signed.pem")
        pem.write_text(SELF_SIGNED, encoding="ascii")
        with notice_server(pem=pem) as server:
            yield server.url


def essence(result: dict[str, Any]) -> dict[str, Any]:
    """Return what is the same for two runs of the same rows."""
    table = [
        {title: line[title] for title in ("Result", "Code", "Message", "Source row")}
        for line in lines(result["output"])
    ]
    names = ("exit_code", "message", "counts", "rows", "causes", "requests", "credits_used")
    return {name: result[name] for name in names} | {"table": table}


@pytest.mark.parametrize("kind", ["refuses", "hangs", "faulty", "untrusted"])
def test_a_dead_address_changes_nothing_but_the_log(
    org: StandIn, run_in_process: RunCommand, kind: str
) -> None:
    file = sheet("in.csv", CONTENT)
    run_in_process("run", sheet("first.csv", rows(1)))  # the first one asks about the org
    silent = run_in_process("run", file, "--json", "--fresh")
    with bad_address(kind) as url:
        address = f"{url}/{SECRET_PATH}"
        configure(
            org,
            ping_url=address,
            webhook=address,
            messages=[f"json{address[4:]}"],
            textfile="missing/batchlock.prom",
            timeout=0.3,
        )
        result = run_in_process("run", file, "--json", "--fresh")
    assert (result.code, balanced(result.json)) == (3, {"updated": 20, "rejected": 1})
    assert essence(result.json) == essence(silent.json)
    log = Path("state/logs/batchlock.log").read_text("utf-8")
    for place in ("ping_url (127", "webhook (127", "messages (json", "textfile"):
        assert f"notify.{place}" in result.err
        assert f"notify.{place}" in log
    assert SECRET_PATH not in result.out + result.err + log


def pinged(server: NoticeServer) -> list[str]:
    return [path for path in server.paths if path.startswith("/ping")]


def test_every_place_gets_the_digest_of_a_run(org: StandIn, run_in_process: RunCommand) -> None:
    with notice_server() as server:
        configure(
            org,
            ping_url=f"{server.url}/ping",
            webhook=f"{server.url}/hook",
            messages=f"json{server.url[4:]}/message",
            textfile="batchlock.prom",
        )
        result = run_in_process("run", sheet("in.csv", CONTENT), "--json").json
    assert pinged(server) == ["/ping/start", "/ping/3"]
    bodies = {request.path.partition("?")[0]: request for request in server.requests}
    digest = bodies["/ping/3"].body.decode()
    assert digest.startswith("batchlock default: run in.csv: some rows were not updated\n")
    assert result["message"] in digest
    assert "row 22" in digest
    hook = [request.json for request in server.requests if request.path == "/hook"]
    assert sorted(value["event"] for value in hook) == ["end", "start"]
    (end,) = (value for value in hook if value["event"] == "end")
    assert (end["run_id"], end["counts"]) == (result["run_id"], result["counts"])
    assert (end["exit_code"], end["needs_person"]) == (3, True)
    message = bodies["/message"].json
    assert [one["filename"] for one in message["attachments"]] == [Path(result["output"]).name]
    assert 'batchlock_last_run_exit_code{environment="production",org="default"} 3.0' in Path(
        "batchlock-default.prom"
    ).read_text("utf-8")


def test_no_notice_has_an_id_or_a_reason_of_a_record(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [
        ("Leads", NOT_LOCKED, lock(99), "reason-one"),
        ("Leads", "584310400000042556X", lock(98), "reason-two"),
        ("Leads", "5843104000000425561", lock(97), "x" * 3001),
    ]
    with notice_server() as server:
        configure(org, ping_url=server.url, webhook=server.url)
        assert run_in_process("run", sheet("in.csv", content)).code == 3
    text = b"".join(request.body for request in server.requests).decode()
    for part in (NOT_LOCKED, lock(99), "5843104", "reason-", "xxx"):
        assert part not in text


@pytest.mark.parametrize(("code", "text"), [(4, "cannot"), (2, "batchlock unlock")])
def test_an_error_before_the_run_is_an_end_too(
    org: StandIn, run_in_process: RunCommand, code: int, text: str
) -> None:
    with notice_server() as server:
        configure(org, ping_url=server.url)
        if code == 4:
            Path("in.csv").write_bytes(b"%PDF-1.4")
            result = run_in_process("run", "in.csv")
        else:
            result = run_in_process("unlock", sheet("in.csv", rows(1)))
    assert result.code == code
    assert server.paths == ["/start", f"/{code}"]
    assert f"Exit code {code}." in server.requests[1].body.decode()


def test_commands_that_send_nothing_tell_nothing(org: StandIn, run_in_process: RunCommand) -> None:
    file = sheet("in.csv", rows(1))
    with notice_server() as server:
        configure(org, ping_url=server.url, webhook=server.url)
        run_in_process("check", file)
        run_in_process("runs")
        assert server.requests == []
        assert run_in_process("resume").code == 0
    assert pinged(server) == []
    assert "There is no unfinished run" in server.requests[-1].body.decode()


@POSIX
def test_a_rehearsal_tells_nobody(org: StandIn, run_in_process: RunCommand) -> None:
    with notice_server() as server:
        configure(org, ping_url=f"{server.url}/{SECRET_PATH}", webhook=server.url)
        run_in_process("run", sheet("in.csv", rows(1)), "--simulate")
    assert server.requests == []


def test_an_interrupted_run_says_so(org: StandIn) -> None:
    with notice_server() as server:
        configure(org, ping_url=server.url)
        file = sheet("in.csv", rows(100))
        with forked("run", file, "--json", "--per-second", "0.01") as process:
            wait_until(lambda: org.state()["updates"] > 0, process)
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert json.loads(out)["exit_code"] == process.returncode == 143
    assert server.paths == ["/start", "/143"]


@POSIX
def test_a_signal_ends_the_wait_for_a_notice_and_leaves_the_exit_code(org: StandIn) -> None:
    with notice_server(hangs=True) as server:
        configure(org, ping_url=server.url, timeout=60)
        with forked("run", sheet("in.csv", rows(1)), "--json") as process:
            assert process.stdout is not None
            result = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=TIMEOUT_SECONDS / 2)
    assert result["exit_code"] == process.returncode == 0
