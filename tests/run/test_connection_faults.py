import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.bad_server import (
    PAGE,
    SUCCESS,
    BadServer,
    Handler,
    answers,
    bad_server,
    closes_after_answer,
    hangs,
    never_ends,
    read_request,
    resets,
    sends_50_mb,
    speaks_no_http,
)
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand, command, started
from support.sheets import balanced, lines, rows, sheet
from support.zoho import ORG_CALLS, StandIn

# A timeout of one second was too short for an answer of 50 MB on a busy machine.
QUICK = {"attempts": 2, "first_wait": 0.01, "longest_wait": 0.05, "give_up_after": 1, "timeout": 2}
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

UNUSABLE_ANSWERS: tuple[tuple[Handler, str], ...] = (
    (resets, "127.0.0.1 closed the connection before it answered"),
    (hangs, "127.0.0.1 timed out: no answer within 2 s"),
    (never_ends, "127.0.0.1 timed out: no answer within 2 s"),
    (sends_50_mb, "The answer is too long to be Zoho's (HTTP 200)"),
    (speaks_no_http, "is not HTTP"),
    (answers("403 Forbidden", PAGE), "A web page came back instead of Zoho's answer (HTTP 403)"),
    (answers("407 No", PAGE), "A proxy asks for a sign-in of its own (HTTP 407)"),
    (answers("404 Not Found", PAGE), "A web page came back instead of Zoho's answer (HTTP 404)"),
    (answers("200 OK", PAGE), "A web page came back instead of Zoho's answer (HTTP 200)"),
    (answers("200 OK", b""), "An empty answer came back (HTTP 200)"),
    (answers("302 Found", PAGE), "sent on to another address (HTTP 302)"),
    (answers("200 OK", SUCCESS[:40]), "or only a part of it (HTTP 200)"),
    (answers("503 Busy", PAGE), "Zoho had a fault (HTTP 503)"),
)


def answer_by_record(connection: socket.socket, server: BadServer) -> None:
    """Answer a call for the nth record with the nth unusable answer, and no other call."""
    request = read_request(connection, server)
    if request and b"/Locking_Information__s" in request:
        number = int(request.split(b"/")[4][-4:])
        UNUSABLE_ANSWERS[number - 1][0](connection, server)


def test_an_unusable_answer_fails_its_row_with_an_explanation(
    org: StandIn, run_in_process: RunCommand
) -> None:
    count = len(UNUSABLE_ANSWERS)
    with bad_server(answer_by_record) as server:
        org.config(
            state_directory="state",
            retry={**QUICK, "give_up_after": 60},
            zoho={"api_url": f"http://127.0.0.1:{server.port}"},
        )
        completed = run_in_process("run", sheet("in.csv", rows(count)), "--json", "-o", "out.csv")
    assert (completed.code, balanced(completed.json)) == (3, {"failed": count})
    for line, (_, message) in zip(lines("out.csv"), UNUSABLE_ANSWERS, strict=True):
        assert message in line["Message"]
        assert line["What to do"]
        assert line["Attempts"] == "3"  # two, and a look-up that shows whether one was applied
    assert len(server.sent) == completed.json["requests"] - ORG_CALLS == 3 * count
    assert max(server.sent) < 20_000_000


def unused_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (lambda: "https://nowhere.invalid", "The name nowhere.invalid could not be looked up"),
        (unused_address, "127.0.0.1 refused the connection"),
    ],
    ids=["DNS", "refused"],
)
def test_an_unreachable_server_is_waited_for_and_fails_no_row(
    org: StandIn, run_in_process: RunCommand, address: Callable[[], str], message: str
) -> None:
    org.config(state_directory="state", retry=QUICK, zoho={"api_url": address()})
    output = run_in_process("run", sheet("in.csv", rows(100)), "--json").json
    assert (output["exit_code"], balanced(output)) == (6, {"not_sent": 100})
    assert message in output["message"]
    assert (output["requests"], output["credits_used"]) == (0, 0)
    assert output["resume"]


@pytest.fixture
def certificate() -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    arguments = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout own.pem"
    completed = subprocess.run([openssl, *arguments.split()], capture_output=True, check=True)
    with Path("own.pem").open("ab") as file:
        file.write(completed.stdout)
    return Path("own.pem")


def test_a_self_signed_certificate_is_not_trusted(
    org: StandIn, run_in_process: RunCommand, certificate: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    requests: list[bytes] = []

    def handler(connection: socket.socket, server: BadServer) -> None:
        connection.settimeout(TIMEOUT_SECONDS)
        with context.wrap_socket(connection, server_side=True) as decrypted:
            requests.append(read_request(decrypted, server))

    with bad_server(handler) as server:
        org.config(
            state_directory="state",
            retry=QUICK,
            zoho={"api_url": f"https://localhost:{server.port}"},
        )
        output = run_in_process("run", sheet("in.csv", rows(3)), "--json").json
    assert (output["exit_code"], balanced(output)) == (2, {"not_sent": 3})
    assert "The certificate of localhost is not trusted (TLS)" in output["message"]
    assert "network.ca_file" in output["message"]
    assert not any(requests)


def test_a_server_without_encryption_is_refused(org: StandIn, run_in_process: RunCommand) -> None:
    with bad_server(speaks_no_http) as server:
        org.config(
            state_directory="state",
            retry=QUICK,
            zoho={"api_url": f"https://localhost:{server.port}"},
        )
        output = run_in_process("run", sheet("in.csv", rows(3)), "--json").json
    assert (output["exit_code"], balanced(output)) == (6, {"not_sent": 3})
    assert "No encrypted connection to localhost could be made (TLS)" in output["message"]


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
def test_a_proxy_that_refuses_sends_nothing(
    org: StandIn, run_in_process: RunCommand, status: str
) -> None:
    def refuse(connection: socket.socket, server: BadServer) -> None:
        if read_request(connection, server):
            answers(status, PAGE)(connection, server)

    with bad_server(refuse) as server:
        org.config(
            state_directory="state",
            retry=QUICK,
            zoho={"accounts_url": "https://accounts.invalid", "api_url": "https://api.invalid"},
            network={"proxy": f"http://me:sesame@127.0.0.1:{server.port}"},
        )
        completed = run_in_process("run", sheet("in.csv", rows(3)), "--json")
    code = 2 if status.startswith("407") else 6
    assert (completed.code, balanced(completed.json)) == (code, {"not_sent": 3})
    assert "network.proxy" in completed.json["message"]
    assert f"refused to connect (HTTP {status[:3]})" in completed.json["message"]
    assert "sesame" not in completed.out + completed.err


def test_a_proxy_without_a_name_in_dns_is_told_at_once(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(
        state_directory="state",
        zoho={"accounts_url": "https://accounts.invalid", "api_url": "https://api.invalid"},
        network={"proxy": "http://proxy.invalid:3128"},
    )
    completed = run_in_process("run", sheet("in.csv", rows(3)), "--json")
    assert (completed.code, balanced(completed.json)) == (2, {"not_sent": 3})
    assert "The name of the proxy" in completed.json["message"]
    assert "network.proxy" in completed.json["message"]


def test_a_wrong_api_address_for_the_org_is_told_at_once(
    org: StandIn, run_in_process: RunCommand
) -> None:
    answer = b'{"code":"INVALID_HOST","details":{},"message":"wrong domain","status":"error"}'
    with bad_server(answers("400 Bad Request", answer)) as server:
        org.config(state_directory="state", zoho={"api_url": f"http://127.0.0.1:{server.port}"})
        first = run_in_process("run", sheet("in.csv", rows(30)), "--json")
        again = run_in_process("run", "in.csv", "--json")
    for completed in (first, again):
        assert (completed.code, balanced(completed.json)) == (2, {"not_sent": 30})
        assert "zoho.api_url" in completed.json["message"]
        assert "zoho.data_center" in completed.json["message"]
    org.config(state_directory="state")
    done = run_in_process("run", "in.csv", "--fresh", "--json")
    assert balanced(done.json) == {"updated": 30}


@LINUX
def test_a_connection_that_is_never_accepted_times_out(
    org: StandIn, run_in_process: RunCommand
) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for client in (first, second):  # fill the backlog, so that the next one gets no answer
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        org.config(
            state_directory="state",
            retry=QUICK,
            zoho={"api_url": f"http://127.0.0.1:{full.getsockname()[1]}"},
        )
        output = run_in_process("run", sheet("in.csv", rows(2)), "--json").json
    assert (output["exit_code"], balanced(output)) == (6, {"not_sent": 2})
    assert "Connecting to 127.0.0.1 took too long" in output["message"]


def test_a_connection_that_the_server_closes_is_replaced(
    org: StandIn, run_in_process: RunCommand
) -> None:
    with bad_server(closes_after_answer) as server:
        org.config(state_directory="state", zoho={"api_url": f"http://127.0.0.1:{server.port}"})
        # The pause between two calls lets the client see that the server has closed.
        options = ("--in-flight", 1, "--per-second", 10)
        output = run_in_process("run", sheet("in.csv", rows(12)), "--json", *options).json
    assert (output["exit_code"], balanced(output)) == (0, {"updated": 12})
    # On a busy machine the client may send before it sees that the connection has ended.
    assert output["requests"] >= len(server.sent) == 12 + ORG_CALLS


@contextmanager
def killed_stand_in(*options: object) -> Iterator[StandIn]:
    """Run a stand-in that is killed when the block ends, without a chance to close connections."""
    with started("simulate", *options) as process:
        assert process.stdout is not None
        yield StandIn(process.stdout.readline().split()[-1])


@POSIX
def test_a_network_outage_fails_no_row() -> None:
    with killed_stand_in("--latency", "30ms") as first:
        first.config(state_directory="state", retry={"first_wait": 0.1, "longest_wait": 0.5})
        command_line = ("run", sheet("in.csv", rows(120)), "--json", "--in-flight", 4)
        process = subprocess.Popen(command(*command_line), stdout=subprocess.PIPE, text=True)
        while first.state()["updates"] < 20:
            time.sleep(0.02)
        before = len(first.locks())
    time.sleep(1.5)
    with killed_stand_in("--port", first.url.rpartition(":")[2]) as second:
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        after = len(second.locks())
    output = json.loads(out)
    assert (process.returncode, balanced(output)) == (0, {"updated": 120})
    assert "unknown" not in output["message"]
    assert before + after >= 120
