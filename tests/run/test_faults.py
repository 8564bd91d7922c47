"""Every fault that has been met on the way to Zoho, with the end that it must have."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.commands import PATIENCE, POSIX, Run, command, started
from support.sheets import balanced, lines, lock, rows, sheet
from support.zoho import StandIn, Start

REJECTED = "990000000000000103"
BROKEN = "990000000000000201"
HUNG = "990000000000000207"
REVOKED = ("990000000000000312", "990000000000000313")
QUICK = {"attempts": 2, "first_wait": 0.01, "longest_wait": 0.05, "give_up_after": 1, "timeout": 1}
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

SUCCESS = (
    b'{"data":[{"code":"SUCCESS","details":{},"message":"relation updated","status":"success"}]}'
)
PAGE = b"<html><body><h1>Access to this site is restricted</h1></body></html>"


# -- servers that behave badly -------------------------------------------------------------


@dataclass(slots=True)
class Bad:
    """A server that does something bad with each request."""

    port: int
    sent: list[int] = field(default_factory=list)
    """Bytes sent in answer to each request."""


Does = Callable[[socket.socket, Bad, threading.Event], None]


@contextmanager
def bad_server(does: Does) -> Iterator[Bad]:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        bad = Bad(listening.getsockname()[1])
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                thread = threading.Thread(target=serve, args=(connection,))
                threads.append(thread)
                thread.start()

        def serve(connection: socket.socket) -> None:
            connection.settimeout(0.1)
            try:
                with connection:
                    does(connection, bad, over)
            except OSError:
                pass  # the caller has gone, or the test is over

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield bad
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join(PATIENCE)
            for thread in threads:
                thread.join(PATIENCE)


def read(connection: socket.socket, over: threading.Event) -> bytes:
    """Return the next request, empty when there is none."""
    got = b""
    while not over.is_set():
        try:
            part = connection.recv(65536)
        except TimeoutError:
            continue
        got += part
        head, _, body = got.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not part or (b"\r\n\r\n" in got and len(body) >= int(length or 0)):
            return got if part else b""
    return b""


def says(status: str, body: bytes) -> Does:
    def does(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)
        bad.sent.append(len(body))

    return does


def says_then_closes(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
    """Answer well, promise to stay, and close."""
    if read(connection, over):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(SUCCESS)}\r\n\r\n"
        connection.sendall(head.encode() + SUCCESS)
        bad.sent.append(len(SUCCESS))


def resets(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
    bad.sent.append(0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def hangs(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
    bad.sent.append(0)
    over.wait(PATIENCE)


def never_ends(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
    bad.sent.append(0)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not over.wait(0.05):
        connection.sendall(b"1\r\n \r\n")


def sends_50_mb(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
    bad.sent.append(0)
    connection.settimeout(PATIENCE)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
    for _ in range(50):
        connection.sendall(b" " * 1_000_000)
        bad.sent[-1] += 1_000_000


def speaks_no_http(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
    bad.sent.append(0)
    connection.sendall(b"220 mail.example.com ESMTP\r\n")


NO_ANSWERS: tuple[tuple[Does, str], ...] = (
    (resets, "127.0.0.1 closed the connection before it answered"),
    (hangs, "127.0.0.1 timed out: no answer within 1 s"),
    (never_ends, "127.0.0.1 timed out: no answer within 1 s"),
    (sends_50_mb, "Far more came back than Zoho ever answers (HTTP 200)"),
    (speaks_no_http, "is not HTTP"),
    (says("403 Forbidden", PAGE), "A web page came back instead of Zoho's answer (HTTP 403)"),
    (says("407 No", PAGE), "A proxy asks for a sign-in of its own (HTTP 407)"),
    (says("404 Not Found", PAGE), "A web page came back instead of Zoho's answer (HTTP 404)"),
    (says("200 OK", PAGE), "A web page came back instead of Zoho's answer (HTTP 200)"),
    (says("200 OK", b""), "An empty answer came back (HTTP 200)"),
    (says("302 Found", PAGE), "sent on to another address (HTTP 302)"),
    (says("200 OK", SUCCESS[:40]), "or only a part of it (HTTP 200)"),
    (says("503 Busy", PAGE), "Zoho had a fault (HTTP 503)"),
)


def by_record(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
    """Answer a call about the nth record in the nth way."""
    request = read(connection, over)
    if request:
        number = int(request.split(b"/")[4][-4:])
        NO_ANSWERS[number - 1][0](connection, bad, over)


def test_an_answer_that_is_none_fails_its_row_in_words(org: StandIn, here: Run) -> None:
    count = len(NO_ANSWERS)
    with bad_server(by_record) as bad:
        org.config(
            state_directory="state",
            retry={**QUICK, "give_up_after": 60},
            zoho={"api_url": f"http://127.0.0.1:{bad.port}"},
        )
        done = here("run", sheet("in.csv", rows(count)), "--json", "-o", "out.csv")
    assert (done.code, balanced(done.json)) == (3, {"failed": count})
    for line, (_, words) in zip(lines("out.csv"), NO_ANSWERS, strict=True):
        assert words in line["Message"]
        assert line["What to do"]
        assert line["Attempts"] == "3"  # two, and a look at whether one of them landed
    assert len(bad.sent) == done.json["requests"] == 3 * count
    assert max(bad.sent) < 20_000_000


def nothing_listens() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (lambda: "https://nowhere.invalid", "The name nowhere.invalid could not be looked up"),
        (nothing_listens, "127.0.0.1 refused the connection"),
    ],
    ids=["DNS", "refused"],
)
def test_what_cannot_be_reached_is_waited_for_and_fails_no_row(
    org: StandIn, here: Run, address: Callable[[], str], words: str
) -> None:
    org.config(state_directory="state", retry=QUICK, zoho={"api_url": address()})
    told = here("run", sheet("in.csv", rows(100)), "--json").json
    assert (told["exit_code"], balanced(told)) == (6, {"not_sent": 100})
    assert words in told["message"]
    assert (told["requests"], told["credits_used"]) == (0, 0)
    assert told["resume"]


@pytest.fixture
def certificate() -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout own.pem"
    done = subprocess.run([openssl, *words.split()], capture_output=True, check=True)
    with Path("own.pem").open("ab") as file:
        file.write(done.stdout)
    return Path("own.pem")


def test_a_certificate_of_ones_own_is_not_trusted(
    org: StandIn, here: Run, certificate: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    seen: list[bytes] = []

    def does(connection: socket.socket, _: Bad, over: threading.Event) -> None:
        connection.settimeout(PATIENCE)
        with context.wrap_socket(connection, server_side=True) as spoken:
            seen.append(read(spoken, over))

    with bad_server(does) as bad:
        org.config(
            state_directory="state",
            retry=QUICK,
            zoho={"api_url": f"https://localhost:{bad.port}"},
        )
        told = here("run", sheet("in.csv", rows(3)), "--json").json
    assert (told["exit_code"], balanced(told)) == (6, {"not_sent": 3})
    assert "The certificate of localhost is not trusted (TLS)" in told["message"]
    assert not any(seen)


def test_a_server_without_encryption_is_no_zoho(org: StandIn, here: Run) -> None:
    with bad_server(speaks_no_http) as bad:
        org.config(
            state_directory="state",
            retry=QUICK,
            zoho={"api_url": f"https://localhost:{bad.port}"},
        )
        told = here("run", sheet("in.csv", rows(3)), "--json").json
    assert (told["exit_code"], balanced(told)) == (6, {"not_sent": 3})
    assert "No encrypted connection to localhost could be made (TLS)" in told["message"]


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
def test_a_proxy_that_refuses_sends_nothing(org: StandIn, here: Run, status: str) -> None:
    def refuses(connection: socket.socket, bad: Bad, over: threading.Event) -> None:
        if read(connection, over):
            says(status, PAGE)(connection, bad, over)

    with bad_server(refuses) as bad:
        org.config(
            state_directory="state",
            retry=QUICK,
            zoho={"accounts_url": "https://accounts.invalid", "api_url": "https://api.invalid"},
            network={"proxy": f"http://me:sesame@127.0.0.1:{bad.port}"},
        )
        done = here("run", sheet("in.csv", rows(3)), "--json")
    assert (done.code, balanced(done.json)) == (6, {"not_sent": 3})
    assert f"refused to connect (HTTP {status[:3]})" in done.json["message"]
    assert "sesame" not in done.out + done.err


@LINUX
def test_a_connection_that_is_never_taken_up_is_bounded(org: StandIn, here: Run) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (first, second):  # fill the queue, so that the next one gets no answer
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        org.config(
            state_directory="state",
            retry=QUICK,
            zoho={"api_url": f"http://127.0.0.1:{full.getsockname()[1]}"},
        )
        told = here("run", sheet("in.csv", rows(2)), "--json").json
    assert (told["exit_code"], balanced(told)) == (6, {"not_sent": 2})
    assert "Connecting to 127.0.0.1 took too long" in told["message"]


def test_a_connection_that_the_server_closes_is_replaced(org: StandIn, here: Run) -> None:
    with bad_server(says_then_closes) as bad:
        org.config(state_directory="state", zoho={"api_url": f"http://127.0.0.1:{bad.port}"})
        options = ("--in-flight", 1, "--per-second", 20)
        told = here("run", sheet("in.csv", rows(12)), "--json", *options).json
    assert (told["exit_code"], balanced(told)) == (0, {"updated": 12})
    assert told["requests"] == len(bad.sent) == 12


@contextmanager
def simulating(*options: object) -> Iterator[StandIn]:
    """Run a stand-in that is killed, not ended, when the block ends."""
    with started("simulate", *options) as process:
        assert process.stdout is not None
        yield StandIn(process.stdout.readline().split()[-1])


@POSIX
def test_a_network_that_is_away_for_a_while_fails_no_row() -> None:
    with simulating("--latency", "30ms") as first:
        first.config(state_directory="state", retry={"first_wait": 0.1, "longest_wait": 0.5})
        command_line = ("run", sheet("in.csv", rows(120)), "--json", "--in-flight", 4)
        process = subprocess.Popen(command(*command_line), stdout=subprocess.PIPE, text=True)
        while first.state()["updates"] < 20:
            time.sleep(0.02)
        before = len(first.locks())
    time.sleep(1.5)
    with simulating("--port", first.url.rpartition(":")[2]) as second:
        out, _ = process.communicate(timeout=PATIENCE)
        after = len(second.locks())
    told = json.loads(out)
    assert (process.returncode, balanced(told)) == (0, {"updated": 120})
    assert "unknown" not in told["message"]
    assert before + after >= 120


# -- an outage -----------------------------------------------------------------------------


def test_an_outage_stops_the_run_after_50_failures(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--fail-from", 31)
    zoho.config(state_directory="state", retry={**QUICK, "give_up_after": 60})
    told = here("run", sheet("in.csv", rows(300)), "--json").json
    counts = balanced(told)
    assert told["exit_code"] == 6
    assert counts["updated"] == 30
    assert 50 <= counts["failed"] <= 50 + 25  # those under way end too
    assert "50 rows in a row failed" in told["message"]
    assert told["requests"] <= 30 + 3 * (50 + 50)


def test_bad_rows_among_good_ones_stop_nothing(org: StandIn, here: Run) -> None:
    org.config(state_directory="state", retry=QUICK, stop={"consecutive_failures": 3})
    content = rows(20)
    for place in (2, 3, 9, 10, 16, 17):
        content[place] = ("Leads", BROKEN, lock(place), f"why {place}")
        content[place] = (("Leads", "Deals", "Cases")[place % 3], BROKEN, lock(place), "why")
    told = here("run", sheet("in.csv", content), "--json", "--in-flight", 1).json
    assert told["exit_code"] == 3
    assert "not_sent" not in balanced(told)


# -- the org's limits ----------------------------------------------------------------------


def test_spent_credits_stop_the_run_with_few_calls_wasted(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--credits", 40)
    zoho.config(
        state_directory="state",
        retry={"first_wait": 0.2, "longest_wait": 1, "give_up_after": 3},
    )
    told = here("run", sheet("in.csv", rows(200)), "--json").json
    assert (told["exit_code"], balanced(told)) == (6, {"updated": 40, "not_sent": 160})
    assert "past 24 hours" in told["message"]
    assert told["credits_used"] == 40
    assert zoho.state()["throttled"] <= 40


def test_a_wait_beyond_all_patience_ends_the_run_at_once(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--credits", 0, "--retry-after", "3600s")
    zoho.config(state_directory="state")
    told = here("run", sheet("in.csv", rows(50)), "--json").json
    assert (told["exit_code"], balanced(told)) == (6, {"not_sent": 50})
    assert "Zoho asks to wait 3,600 seconds" in told["message"]
    assert zoho.state()["calls"]["put"] <= 5


def test_only_a_wait_that_zoho_asks_for_is_called_so(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--credits", 0)
    zoho.config(state_directory="state", retry={"first_wait": 600, "longest_wait": 600,
                                                "give_up_after": 0.001})  # fmt: skip
    told = here("run", sheet("in.csv", rows(5)), "--json").json
    assert told["exit_code"] == 6
    assert "No good answer came" in told["message"]


@pytest.mark.parametrize("in_flight", ["auto", "20"])
def test_the_credits_of_others_are_left_alone(stand_in: Start, here: Run, in_flight: str) -> None:
    zoho = stand_in("--credits", 100, "--latency", "10ms", "--jitter", "10ms")
    zoho.config(state_directory="state", limits={"keep_credits": 30})
    told = here("run", sheet("in.csv", rows(120)), "--json", "--in-flight", in_flight).json
    left = zoho.state()["credits_left"]
    assert 30 <= left <= 33  # answers that overtake each other are counted for less, never more
    expected = {"updated": 100 - left, "not_sent": 20 + left}
    assert (told["exit_code"], balanced(told)) == (6, expected)
    assert "30 are kept for other integrations" in told["message"]


def test_a_run_spends_no_more_than_it_may_over_all_its_sessions(org: StandIn, here: Run) -> None:
    org.config(state_directory="state", limits={"max_credits": 25})
    file = sheet("in.csv", rows(60))
    told = here("run", file, "--json").json
    assert (told["exit_code"], balanced(told)) == (6, {"updated": 25, "not_sent": 35})
    assert "has spent the 25 credits it may (limits.max_credits)" in told["message"]
    again = here("run", file, "--json").json
    assert (again["exit_code"], again["credits_used"]) == (6, 25)
    assert org.state()["calls"]["put"] == 25


# -- the end of the window -----------------------------------------------------------------


def test_calls_that_hang_do_not_outlast_the_window(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--faults", "hang=1")
    zoho.config(state_directory="state", retry={"timeout": 60})
    planned = here("run", sheet("in.csv", rows(9)), "--json", "--max-runtime", "1ms").json
    assert (planned["exit_code"], balanced(planned)) == (6, {"not_sent": 9})
    told = here("resume", "--json", "--max-runtime", "3s").json
    counts = balanced(told)
    assert told["exit_code"] == 6
    assert "the time for this run is over" in told["message"]
    assert counts["unknown"] == zoho.state()["calls"]["put"]
    assert counts["unknown"] + counts["not_sent"] == 9


@pytest.mark.parametrize("token", ["throttled", "mine"])
def test_a_start_that_waits_ends_with_the_window(stand_in: Start, here: Run, token: str) -> None:
    """For a token, or for an answer that says which org this is."""
    zoho = stand_in("--faults", "hang=1")
    zoho.config(state_directory="state", zoho={"refresh_token": token, "organization_id": "123"})
    told = here("run", sheet("in.csv", rows(3)), "--json", "--max-runtime", "2s").json
    assert (told["exit_code"], balanced(told)) == (6, {"not_sent": 3})
    assert "the time for this run is over" in told["message"]
    assert told["resume"]
    assert zoho.state()["calls"]["put"] == 0


NIGHTS = """
import sys
from datetime import datetime, time
from batchlock.send.settings import StopSettings
from batchlock.send.stop_rules import deadline
today, until = datetime.fromisoformat(sys.argv[1]), time.fromisoformat(sys.argv[2])
print(deadline(StopSettings(until=until), started_monotonic=0.0, started_at=today) / 3600)
"""


@POSIX
@pytest.mark.parametrize(
    ("today", "until", "hours"),
    [
        ("2026-06-01T22:00+02:00", "06:00", 8),
        ("2026-06-01T05:00+02:00", "06:00", 1),
        ("2026-06-01T06:00+02:00", "06:00", 24),
        ("2026-03-28T22:00+01:00", "06:00", 7),
        ("2026-03-29T00:30+01:00", "06:00", 4.5),
        ("2026-10-24T22:00+02:00", "06:00", 9),
        ("2026-10-25T00:30+02:00", "06:00", 6.5),
        ("2026-12-31T23:00+01:00", "06:00", 7),
        ("2026-03-28T21:00+00:00", "06:00", 7),
        ("2026-03-29T01:40+01:00", "02:30", 1 / 3),  # at 2:00 it is 3:00
        ("2026-03-29T03:00+02:00", "02:30", 23.5),
        ("2026-10-25T01:30+02:00", "02:30", 1),
        ("2026-10-25T02:45+02:00", "02:30", 0.75),  # at 3:00 it is 2:00 again
        ("2026-10-25T02:45+01:00", "02:30", 23.75),
    ],
)
def test_a_time_of_day_is_right_in_the_night_of_a_switch_too(
    today: str, until: str, hours: float
) -> None:
    """In Europe the clocks are changed on the last Sundays of March and October."""
    done = subprocess.run(
        [sys.executable, "-c", NIGHTS, today, until],
        env={**os.environ, "TZ": "CET-1CEST,M3.5.0,M10.5.0/3"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert float(done.stdout) == pytest.approx(hours)


# -- tokens --------------------------------------------------------------------------------


def test_a_token_that_is_revoked_in_mid_run_is_renewed_once_each_time(
    org: StandIn, here: Run
) -> None:
    content = rows(60)
    content[20] = ("Leads", REVOKED[0], lock(1000), "why")
    content[40] = ("Leads", REVOKED[1], lock(1001), "why")
    told = here("run", sheet("in.csv", content), "--json").json
    assert (told["exit_code"], balanced(told)) == (0, {"updated": 60})
    assert org.state()["token_requests"] == 3


def test_tokens_that_end_every_second_fail_no_row(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--token-lifetime", "2s", "--latency", "100ms")
    zoho.config(state_directory="state")
    told = here("run", sheet("in.csv", rows(120)), "--json", "--in-flight", 4).json
    state = zoho.state()
    assert (told["exit_code"], balanced(told)) == (0, {"updated": 120})
    assert 2 <= state["token_requests"] <= 10
    assert state["updates"] == 120


# -- the disk ------------------------------------------------------------------------------

IN_A_NAMESPACE = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]


@pytest.fixture
def mounts() -> None:
    """Skip the test where no file system can be mounted for it alone."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    Path("probe").mkdir()
    tried = subprocess.run(
        [*IN_A_NAMESPACE, "mount -t tmpfs -o size=64k tmpfs probe"],
        capture_output=True,
        check=False,
    )
    if tried.returncode != 0:
        pytest.skip("needs to mount a file system")


def in_a_namespace(script: str) -> list[dict[str, Any]]:
    """Run a script that may mount; return the JSON objects that it prints, a line each."""
    done = subprocess.run(
        [*IN_A_NAMESPACE, script.replace("batchlock", " ".join(command()))],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_full_disk_stops_the_run_with_the_journal_intact(stand_in: Start, mounts: None) -> None:
    zoho = stand_in("--latency", "2ms")
    zoho.config(state_directory="state")
    sheet("in.csv", [(*row[:3], row[3] * 20) for row in rows(1500)])
    Path("state").mkdir()
    stopped, shown, finished = in_a_namespace(
        "mount -t tmpfs -o size=1500k tmpfs state; "
        "batchlock run in.csv --json || true; "
        "mount -o remount,size=64m state; "
        'batchlock show "$(basename state/runs/default/*.journal .journal)" --json || true; '
        "batchlock run in.csv --json -o out.csv || true"
    )
    assert stopped["exit_code"] == 6
    assert "is full" in stopped["message"]
    assert 0 < balanced(shown)["updated"] < 1500
    assert (finished["exit_code"], balanced(finished)) == (0, {"updated": 1500})
    locks = zoho.locks()
    assert len(locks) == 1500
    assert sum(told["updates"] - 1 for told in locks.values()) <= 100
    assert len(lines("out.csv")) == 1500


def test_a_disk_that_is_full_before_anything_is_sent_leaves_nothing_to_resume(
    org: StandIn, mounts: None
) -> None:
    org.config(state_directory="state")
    sheet("in.csv", [(*row[:3], row[3] * 20) for row in rows(1500)])
    Path("state").mkdir()
    refused, runs = in_a_namespace(
        "mount -t tmpfs -o size=300k tmpfs state; "
        "batchlock run in.csv --json || true; "
        "batchlock runs --json || true"
    )
    assert refused["exit_code"] == 2
    assert refused["message"].endswith("is full. Nothing was sent. Make room, then run again.")
    assert runs["runs"] == []
    assert org.state()["calls"]["put"] == 0


@pytest.mark.parametrize("what", ["state", "state/runs"])
def test_a_state_folder_that_is_read_only_is_told_before_anything_is_sent(
    org: StandIn, mounts: None, what: str
) -> None:
    org.config(state_directory="state")
    sheet("in.csv", rows(3))
    Path(what).mkdir(parents=True)
    (told,) = in_a_namespace(
        f"mount -t tmpfs -o ro tmpfs {what}; batchlock run in.csv --json || true"
    )
    assert told["exit_code"] == 2
    assert str(Path("state").absolute()) in told["message"]
    assert "Set state_directory" in told["message"]
    assert org.state()["calls"]["put"] == 0
