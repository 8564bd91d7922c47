import asyncio
import contextlib
import logging
import os
import socket
import stat
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import orjson
import pytest
from pydantic import SecretStr

from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.zoho.datacenters import DATA_CENTERS, SCOPES
from batchlock.zoho.oauth import OAuthClient, exchange
from batchlock.zoho.tokens import Tokens

SECRET = "s3cr3t-of-the-client"
REFRESH = "1000.refresh.token"
CODE = "1000.grant.code"
TOKEN = "1000.access.token"
ACCOUNT = OAuthClient(
    accounts_url="http://replaced.invalid",
    client_id="1000.CLIENT",
    client_secret=SecretStr(SECRET),
    refresh_token=SecretStr(REFRESH),
    data_center="eu",
    environment="production",
)
THROTTLED = {"error": "Access Denied", "error_description": "too many", "status": "failure"}
HTML = b"<html>Sign in to the proxy</html>"

Handler = Callable[[int], Awaitable[tuple[int, bytes]]]


@dataclass
class Endpoint:
    """A token endpoint that answers its nth request as `handler` says."""

    handler: Handler
    url: str = ""
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                _, _, rest = head.lower().partition("content-length: ")
                body = await reader.readexactly(int(rest.split("\r\n")[0]))
                self.heads.append(head)
                self.forms.append(parse_qs(body.decode()))
                status, answer = await self.handler(len(self.forms))
                length = f"Content-Length: {len(answer)}"
                moved = "Location: http://127.0.0.1:9/"
                writer.write(f"HTTP/1.1 {status} Said\r\n{length}\r\n{moved}\r\n\r\n".encode())
                writer.write(answer)
                await writer.drain()


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(handler)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await endpoint.serve(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield endpoint
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def granting(**changed: object) -> Handler:
    """Grant token-1, token-2 and so on."""

    async def handler(number: int) -> tuple[int, bytes]:
        granted = {
            "access_token": f"token-{number}",
            "api_domain": "http://elsewhere.invalid",
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        return 200, orjson.dumps(granted | changed)

    return handler


def answering(*answers: tuple[int, object]) -> Handler:
    """Give each answer in turn, and the last one for ever; bytes go out as they are."""

    async def handler(number: int) -> tuple[int, bytes]:
        status, body = answers[min(number, len(answers)) - 1]
        return status, body if isinstance(body, bytes) else orjson.dumps(body)

    return handler


GRANTED = (200, {"access_token": TOKEN, "expires_in": 3600})


@contextlib.asynccontextmanager
async def tokens_at(
    endpoint: Endpoint, path: Path, *, time: Time | None = None, **changed: Any
) -> AsyncIterator[Tokens]:
    time = time or Time()
    async with aiohttp.ClientSession() as session:
        options: dict[str, Any] = {
            "max_wait": 900.0,
            "timeout": 20.0,
            "wall_clock": time,
            "clock": time,
            "sleep": time.sleep,
            "random": lambda: 1.0,
        }
        account = changed.pop("account", replace(ACCOUNT, accounts_url=endpoint.url))
        yield Tokens(account, path=path, session=session, **{**options, **changed})


def current(
    handler: Handler, path: Path, *, time: Time | None = None, **changed: Any
) -> tuple[str, Endpoint]:
    """Ask for the current token once."""

    async def main() -> tuple[str, Endpoint]:
        async with (
            serving(handler) as endpoint,
            tokens_at(endpoint, path, time=time, **changed) as tokens,
        ):
            return await tokens.token(), endpoint

    return asyncio.run(main())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "token.json"


def test_a_token_is_asked_for_with_the_documented_form(path: Path) -> None:
    token, endpoint = current(granting(), path)
    assert token == "token-1"
    assert endpoint.heads[0].startswith("POST /oauth/v2/token HTTP/1.1")
    assert "Authorization" not in endpoint.heads[0]
    assert endpoint.forms == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": [REFRESH],
            "client_id": ["1000.CLIENT"],
            "client_secret": [SECRET],
        }
    ]


def test_thirty_tasks_share_one_refresh(path: Path) -> None:
    async def main() -> tuple[set[str], int]:
        async with serving(granting()) as endpoint, tokens_at(endpoint, path) as tokens:
            found = await asyncio.gather(*(tokens.token() for _ in range(30)))
            return set(found), len(endpoint.forms)

    assert asyncio.run(main()) == ({"token-1"}, 1)


def test_thirty_tasks_whose_token_is_rejected_share_one_refresh(path: Path) -> None:
    async def main() -> tuple[set[str], str, int]:
        async with serving(granting()) as endpoint, tokens_at(endpoint, path) as tokens:
            rejected = await tokens.token()
            found = await asyncio.gather(*(tokens.refresh(rejected) for _ in range(30)))
            late = await tokens.refresh(rejected)
            return set(found), late, len(endpoint.forms)

    assert asyncio.run(main()) == ({"token-2"}, "token-2", 2)


def test_a_rejected_token_is_given_to_nobody_while_it_is_replaced(path: Path) -> None:
    async def main() -> list[str]:
        async with serving(granting()) as endpoint, tokens_at(endpoint, path) as tokens:
            rejected = await tokens.token()
            return list(await asyncio.gather(tokens.refresh(rejected), tokens.token()))

    assert asyncio.run(main()) == ["token-2", "token-2"]


PROCESS = """
import asyncio, sys
from pathlib import Path
import aiohttp
from pydantic import SecretStr
from batchlock.zoho.oauth import OAuthClient
from batchlock.zoho.tokens import Tokens

async def main(url, path, rejected):
    account = OAuthClient(accounts_url=url, client_id="c", client_secret=SecretStr("s"),
                      refresh_token=SecretStr("r"), data_center="eu", environment="production")
    async with aiohttp.ClientSession() as session:
        tokens = Tokens(account, path=Path(path), session=session, max_wait=60, timeout=60)
        print("ready", flush=True)
        sys.stdin.readline()
        found = await asyncio.gather(*(
            tokens.refresh(rejected) if rejected else tokens.token() for _ in range(5)))
        print(*set(found))

asyncio.run(main(*sys.argv[1:]))
"""


async def ask_from_processes(count: int, *told: str) -> list[str]:
    """Start processes, let them all ask for a token at once, and return what each found."""
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, *told, stdin=pipe, stdout=pipe
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return [output.decode().strip() for output, _ in ends]


def test_two_processes_share_one_refresh_and_one_replacement(path: Path) -> None:
    async def main() -> tuple[list[str], list[str], int]:
        async with serving(granting()) as endpoint:
            first = await ask_from_processes(2, endpoint.url, str(path), "")
            second = await ask_from_processes(2, endpoint.url, str(path), "token-1")
            return first, second, len(endpoint.forms)

    assert asyncio.run(main()) == (["token-1"] * 2, ["token-2"] * 2, 2)


def test_two_runs_in_one_process_share_one_refresh(path: Path) -> None:
    async def main() -> tuple[list[str], int]:
        async with (
            serving(granting()) as endpoint,
            tokens_at(endpoint, path) as one,
            tokens_at(endpoint, path) as other,
        ):
            found = await asyncio.gather(one.token(), other.token())
            return list(found), len(endpoint.forms)

    assert asyncio.run(main()) == (["token-1", "token-1"], 1)


def test_a_run_that_signs_in_for_too_long_is_not_waited_for_for_ever(path: Path) -> None:
    async def main() -> None:
        async def hang(_: int) -> tuple[int, bytes]:
            asked.set()
            await asyncio.sleep(60)
            return 200, b""

        asked = asyncio.Event()
        async with (
            serving(hang) as endpoint,
            tokens_at(endpoint, path) as one,
            tokens_at(endpoint, path, max_wait=0.1, timeout=0.1) as other,
        ):
            holding = asyncio.create_task(one.token())
            await asked.wait()
            with pytest.raises(Stopped, match="Another batchlock"):
                await other.token()
            holding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await holding

    asyncio.run(main())


def found_by_each(path: Path, *steps: Callable[[Time], Mapping[str, Any]]) -> list[str]:
    """Return what each of several processes finds, one after the other, as `steps` set it up."""

    async def main() -> list[str]:
        time = Time()
        found = []
        async with serving(granting()) as endpoint:
            for step in steps:
                changed = dict(step(time))
                account = replace(ACCOUNT, accounts_url=endpoint.url, **changed.pop("account", {}))
                async with tokens_at(
                    endpoint, path, time=time, account=account, **changed
                ) as tokens:
                    found.append(await tokens.token())
        return found

    return asyncio.run(main())


def at_once(_: Time) -> Mapping[str, Any]:
    return {}


def after(seconds: float) -> Callable[[Time], Mapping[str, Any]]:
    def step(time: Time) -> Mapping[str, Any]:
        time.now += seconds
        return {}

    return step


def of(**account: Any) -> Callable[[Time], Mapping[str, Any]]:
    return lambda _: {"account": account}


def test_the_token_outlives_its_process_until_a_minute_before_its_end(path: Path) -> None:
    found = found_by_each(path, at_once, after(3600 - 61), after(1))
    assert found == ["token-1", "token-1", "token-2"]


def test_the_token_in_memory_is_replaced_a_minute_before_its_end(path: Path) -> None:
    async def main() -> list[str]:
        time = Time()
        async with serving(granting()) as endpoint, tokens_at(endpoint, path, time=time) as tokens:
            found = [await tokens.token()]
            for pause in (3539, 1):
                time.now += pause
                found.append(await tokens.token())
            return found

    assert asyncio.run(main()) == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize(
    ("expires_in", "used"), [(3600000, 3540), ("odd", 3540), (None, 3540), (-5, 3540), (10, 5)]
)
def test_an_odd_lifetime_is_an_hour_and_a_short_one_is_half_used(
    path: Path, expires_in: object, used: float
) -> None:
    async def main() -> list[str]:
        time = Time()
        async with (
            serving(granting(expires_in=expires_in)) as endpoint,
            tokens_at(endpoint, path, time=time) as tokens,
        ):
            found = [await tokens.token()]
            time.now += used - 1
            found.append(await tokens.token())
            time.now += 1
            found.append(await tokens.token())
            return found

    assert asyncio.run(main()) == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize(
    "other",
    [
        {"client_id": "1000.OTHER"},
        {"refresh_token": SecretStr("1000.other.token")},
        {"environment": "sandbox"},
    ],
)
def test_the_token_of_another_account_is_neither_taken_nor_lost(
    path: Path, other: dict[str, Any]
) -> None:
    assert found_by_each(path, at_once, of(**other), at_once, of(**other)) == [
        "token-1",
        "token-2",
        "token-1",
        "token-2",
    ]


def test_tokens_past_their_time_leave_the_file(path: Path) -> None:
    found_by_each(path, at_once, after(4000), of(environment="sandbox"))
    assert b"token-1" not in path.read_bytes()
    assert len(orjson.loads(path.read_bytes())) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"a": 1, "b": {"access_token": 5, "use_until": 1.0}}',
        b'{"a": {"access_token": "x\\ny", "use_until": 9e99}}',
        b"\xff" * 100_000,
    ],
)
def test_a_file_that_is_not_ours_is_written_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert found_by_each(path, at_once, at_once) == ["token-1", "token-1"]
    assert len(orjson.loads(path.read_bytes())) == 1


@pytest.mark.parametrize(
    "spoilt",
    [
        {"access_token": "x\ny", "use_until": 9e99},
        {"access_token": None, "use_until": 9e99},
        {"access_token": "old", "use_until": "tomorrow"},
        {"access_token": "old"},
        "old",
    ],
)
def test_a_spoilt_entry_of_the_file_is_not_used(path: Path, spoilt: object) -> None:
    def spoil(_: Time) -> Mapping[str, Any]:
        (account,) = orjson.loads(path.read_bytes())
        path.write_bytes(orjson.dumps({account: spoilt}))
        return {}

    assert found_by_each(path, at_once, spoil, at_once) == ["token-1", "token-2", "token-2"]


def test_what_a_killed_process_left_behind_does_not_matter(path: Path) -> None:
    path.parent.mkdir()
    for left in (".lock", ".new"):
        path.with_name(path.name + left).write_bytes(b"{half")
    assert found_by_each(path, at_once, at_once) == ["token-1", "token-1"]
    assert not path.with_name(path.name + ".new").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_only_the_owner_can_read_what_is_kept(path: Path) -> None:
    old = os.umask(0)
    try:
        current(granting(), path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    kept = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert kept == {"token.json": 0o600, "token.json.lock": 0o600}


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()

    async def main() -> int:
        async with serving(granting()) as endpoint:
            async with tokens_at(endpoint, blocked / "token.json") as tokens:
                with pytest.raises(UsageError, match="state_directory"):
                    await tokens.token()
            return len(endpoint.forms)

    assert asyncio.run(main()) == 0


def test_a_file_that_cannot_be_replaced_is_said(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(UsageError, match="the access token cannot be kept there") as raised:
        current(granting(), path)
    assert str(path) in str(raised.value)
    assert "token-1" not in told_by(raised.value)


def told_by(error: BaseException) -> str:
    """Return all that a log could show of an error, its causes included."""
    return "".join(traceback.format_exception(error)) + repr(error)


REFUSALS = [
    ("invalid_code", ["refresh token", "eu", "zoho.data_center", "batchlock login"]),
    ("invalid_client", ["client id", "eu", "https://api-console.zoho.eu"]),
    ("invalid_client_secret", ["client secret", "https://api-console.zoho.eu"]),
    ("unauthorized_client", ["unauthorized_client", "batchlock login"]),
    (f"bad {SECRET} {REFRESH}\n", ["bad … …"]),
]


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize(("error", "words"), REFUSALS)
def test_a_refusal_for_good_is_said_and_not_asked_for_again(
    path: Path, status: int, error: str, words: list[str]
) -> None:
    async def main() -> tuple[list[str], int]:
        messages = []
        refusing = answering((status, {"error": error}))
        async with serving(refusing) as endpoint, tokens_at(endpoint, path) as tokens:
            for _ in range(2):
                with pytest.raises(SignInRefused) as raised:
                    await tokens.token()
                messages.append(str(raised.value))
            with pytest.raises(SignInRefused):
                await tokens.refresh("any")
            return messages, len(endpoint.forms)

    messages, asked = asyncio.run(main())
    assert asked == 1
    assert messages[0] == messages[1]
    assert all(word in messages[0] for word in words)


def found_by_refusal(path: Path, answer: object) -> None:
    async def main() -> None:
        refusing = answering((200, answer))
        async with serving(refusing) as endpoint, tokens_at(endpoint, path) as tokens:
            await tokens.token()

    asyncio.run(main())


@pytest.mark.parametrize("token", ["", "two\nlines", "bell\x07", "é", "a b", "x" * 5000, 5, [], {}])
def test_a_token_of_an_odd_form_is_refused(path: Path, token: object) -> None:
    with pytest.raises(SignInRefused, match="cannot be used"):
        found_by_refusal(path, {"access_token": token})
    assert not path.exists()


BUSY = [
    (200, THROTTLED),
    (400, THROTTLED),
    (400, {"error": "Zugriff verweigert"}),
    (200, {"error": "アクセスが拒否されました", "status": "failure"}),
    (429, {"error": "too_many_requests"}),
    (429, HTML),
    (429, b""),
]


@pytest.mark.parametrize("busy", BUSY)
def test_a_busy_endpoint_is_waited_for(
    path: Path, busy: tuple[int, object], caplog: pytest.LogCaptureFixture
) -> None:
    time = Time()
    with caplog.at_level(logging.WARNING):
        token, endpoint = current(answering(busy, busy, busy, GRANTED), path, time=time)
    assert (token, len(endpoint.forms)) == (TOKEN, 4)
    assert time.naps == [2, 4, 8]
    assert len(caplog.messages) == 1
    assert "too many requests" in caplog.messages[0]


def test_pauses_are_drawn_and_grow_to_a_minute_until_patience_is_over(path: Path) -> None:
    time = Time()
    with pytest.raises(Stopped, match=r"No access token after 200 s .*too many requests"):
        current(answering((200, THROTTLED)), path, time=time, max_wait=200, random=lambda: 0.5)
    assert time.naps == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 19]


def test_after_giving_up_the_next_one_may_ask_again(path: Path) -> None:
    async def main() -> str:
        later = answering((200, THROTTLED), GRANTED)
        async with serving(later) as endpoint, tokens_at(endpoint, path, max_wait=0) as tokens:
            with pytest.raises(Stopped):
                await tokens.token()
            return await tokens.token()

    assert asyncio.run(main()) == TOKEN


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, {"error": "general_error"}, "had a fault (HTTP 500)"),
        (502, HTML, "web page came back instead of Zoho's answer (HTTP 502)"),
        (200, HTML, "web page came back"),
        (403, HTML, "proxy or firewall"),
        (302, b"", "sent on to another address (HTTP 302)"),
        (200, b"", "An empty answer"),
        (200, b'{"access_token": "x', "only a part of it"),
        (200, [], "Something other"),
        (200, {"error": ""}, "Something other"),
        (200, {"error": 7}, "Something other"),
        (200, {"access_token": None}, "Something other"),
        (200, b" " * 100_000, "Far more came back"),
    ],
)
def test_an_answer_that_is_not_zohos_is_asked_for_again_within_patience(
    path: Path, status: int, body: object, words: str
) -> None:
    time = Time()
    with pytest.raises(Stopped) as raised:
        current(answering((status, body)), path, time=time, max_wait=10)
    assert words in str(raised.value)
    assert time.naps == [2, 4, 4]
    time = Time()
    assert current(answering((status, body), GRANTED), path, time=time)[0] == TOKEN


def unanswered(url: str, path: Path, **changed: Any) -> tuple[str, list[float]]:
    """Return how an endpoint that gives no answer is told of, and the pauses before that."""
    time = Time()

    async def main() -> str:
        async with tokens_at(Endpoint(granting(), url), path, time=time, **changed) as tokens:
            with pytest.raises(Stopped) as raised:
                await tokens.token()
            shown = told_by(raised.value)
            assert SECRET not in shown
            assert REFRESH not in shown
            return str(raised.value)

    return asyncio.run(main()), time.naps


def test_connection_troubles_are_told_apart(path: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        told, naps = unanswered(f"http://127.0.0.1:{port}", path, max_wait=6)
        assert "127.0.0.1 refused the connection." in told
        assert naps == [2, 4]
    told, _ = unanswered("http://accounts.invalid", path, max_wait=0)
    assert "The name accounts.invalid could not be looked up (DNS)." in told


def test_an_endpoint_that_says_nothing_or_hangs_up_is_told(path: Path) -> None:
    async def main() -> list[str]:
        async def hang(_: int) -> tuple[int, bytes]:
            await asyncio.sleep(60)
            return 200, b""

        async def hang_up(_: int) -> tuple[int, bytes]:
            raise ConnectionResetError

        told = []
        for handler, seconds in ((hang, 0.3), (hang_up, 20)):
            async with (
                serving(handler) as endpoint,
                tokens_at(endpoint, path, max_wait=0, timeout=seconds) as tokens,
            ):
                with pytest.raises(Stopped) as raised:
                    await tokens.token()
                told.append(str(raised.value))
        return told

    silent, closed = asyncio.run(main())
    assert "no answer within 0.3 s" in silent
    assert "closed the connection before it answered" in closed


def test_an_endpoint_without_tls_is_told(path: Path) -> None:
    async def main() -> str:
        async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        listening = await asyncio.start_server(plain, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with tokens_at(Endpoint(granting(), url), path, max_wait=0) as tokens:
            with pytest.raises(Stopped) as raised:
                await tokens.token()
        listening.close()
        return str(raised.value)

    assert "No encrypted connection to 127.0.0.1 could be made (TLS)." in asyncio.run(main())


def exchanging(answer: tuple[int, object]) -> tuple[str, Endpoint]:
    async def main() -> tuple[str, Endpoint]:
        async with serving(answering(answer)) as endpoint, aiohttp.ClientSession() as session:
            account = replace(ACCOUNT, accounts_url=endpoint.url, refresh_token=SecretStr(""))
            return await exchange(CODE, account, session=session, timeout_seconds=20), endpoint

    return asyncio.run(main())


def test_a_code_is_exchanged_for_a_refresh_token() -> None:
    granted = {"access_token": "a", "refresh_token": "1000.new", "expires_in": 3600}
    token, endpoint = exchanging((200, granted))
    assert token == "1000.new"
    assert endpoint.forms == [
        {
            "grant_type": ["authorization_code"],
            "code": [CODE],
            "client_id": ["1000.CLIENT"],
            "client_secret": [SECRET],
        }
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"error": "invalid_code"}, SignInRefused, "used before"),
        ({"error": "invalid_client"}, SignInRefused, "client id"),
        ({"error": f"odd {CODE}"}, SignInRefused, "odd …"),
        ({"access_token": "a"}, SignInRefused, "no refresh token"),
        ({"access_token": "a", "refresh_token": "b\nc"}, SignInRefused, "no refresh token"),
        (THROTTLED, Stopped, "too many requests"),
        (HTML, Stopped, "web page"),
    ],
)
def test_a_code_that_is_not_exchanged(
    answer: object, kind: type[BatchlockError], words: str
) -> None:
    with pytest.raises(kind) as raised:
        exchanging((200, answer))
    assert words in str(raised.value)
    assert CODE not in told_by(raised.value)


def test_secrets_are_shown_by_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> list[str]:
        shown = []
        answers = answering((200, THROTTLED), GRANTED, (200, {"error": "invalid_code"}))
        async with serving(answers) as endpoint, tokens_at(endpoint, path) as tokens:
            token = await tokens.token()
            shown += [repr(tokens), repr(vars(tokens))]
            with pytest.raises(SignInRefused) as raised:
                await tokens.refresh(token)
            shown += [told_by(raised.value), repr(vars(raised.value)), repr(vars(tokens))]
        return shown

    account = [repr(ACCOUNT), str(ACCOUNT), ACCOUNT.key]
    shown = "\n".join([*asyncio.run(main()), *account, *caplog.messages])
    for secret in (SECRET, REFRESH, TOKEN):
        assert secret not in shown
    kept = path.read_text(encoding="utf-8")
    assert SECRET not in kept
    assert REFRESH not in kept


def test_where_to_sign_in_and_what_to_ask_for() -> None:
    assert DATA_CENTERS["ca"].console_url == "https://api-console.zohocloud.ca"
    assert len(DATA_CENTERS) == 11
    assert "ZohoCRM.modules.lockinginformation.ALL" in SCOPES
