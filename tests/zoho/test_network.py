import asyncio
import base64
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from pydantic import SecretStr
from support.commands import Done, command
from support.sheets import rows, sheet
from zoho.test_client import LOCK, SELF_SIGNED, UPDATE, RotatingTokens, http, saying, success
from zoho.test_client import serving as answering

from batchlock.config import load
from batchlock.core.errors import UsageError
from batchlock.core.reply import Reply, Verdict
from batchlock.simulator import Behaviour, Kind, Simulator, serving
from batchlock.zoho.client import Client, Endpoint, session
from batchlock.zoho.network import NetworkSettings, is_this_machine

PASSWORD = "hush-hush"
PAGE = b"<html><body>Access denied by policy</body></html>"
ACCEPTING = saying(http(200, orjson.dumps(success())))
IN_THE_MIDDLE = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in IN_THE_MIDDLE:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A key and its certificate, which is its own CA and known to nobody."""
    path = tmp_path / "self-signed.pem"
    path.write_text(SELF_SIGNED, encoding="ascii")
    return path


def tls_of(pem: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


# -- a proxy, and a server with TLS ----------------------------------------------------------


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(2**16):
            writer.write(part)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.close()


async def join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, head: bytes
) -> None:
    """Carry everything to and fro, `head` first."""
    there_reader, there_writer = await asyncio.open_connection(host, port)
    there_writer.write(head)
    await asyncio.gather(pour(reader, there_writer), pour(there_reader, writer))


@dataclass(slots=True)
class Proxy:
    """A proxy that tunnels (CONNECT) and forwards (GET http://…), or refuses with a page."""

    user: str = ""
    """`name:password`, which everyone must give."""
    refuses: int = 0
    url: str = ""
    asked: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        method, target, _ = head.split(b" ", 2)
        wanted = base64.b64encode(self.user.encode())
        if self.user and b"Proxy-Authorization: Basic " + wanted not in head:
            writer.write(http(407, PAGE, 'Proxy-Authenticate: Basic realm="proxy"'))
        elif self.refuses:
            writer.write(http(self.refuses, PAGE))
        elif method == b"CONNECT":
            host, _, port = target.decode().partition(":")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await join(reader, writer, host, int(port), b"")
            return
        else:
            url = urlsplit(target.decode())
            path = target.removeprefix(f"{url.scheme}://{url.netloc}".encode())
            assert url.hostname is not None
            assert url.port is not None
            await join(reader, writer, url.hostname, url.port, head.replace(target, path, 1))
            return
        await writer.drain()
        writer.close()

    def address(self, user: str = "") -> str:
        return self.url.replace("//", f"//{user}@") if user else self.url


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def whole() -> None:
            try:
                with suppress(OSError, asyncio.IncompleteReadError):
                    await serve(reader, writer)
            finally:
                writer.close()

        tasks.add(asyncio.create_task(whole()))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def proxying(*, user: str = "", refuses: int = 0) -> AsyncIterator[Proxy]:
    proxy = Proxy(user=user, refuses=refuses)
    async with listening(proxy.serve) as port:
        proxy.url = f"http://127.0.0.1:{port}"
        yield proxy


async def put(url: str, network: NetworkSettings) -> Reply:
    async with session(
        limit=1, proxy=network.proxy_to(url), ssl_context=network.ssl_context()
    ) as http_session:
        client = Client(Endpoint(api_url=url, timeout=20), RotatingTokens(), http_session)
        return await client.put_reason(UPDATE, LOCK)


def network_of(proxy: str, ca_file: Path | None = None) -> NetworkSettings:
    return NetworkSettings(proxy=SecretStr(proxy), ca_file=ca_file)


# -- through a proxy -------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["", f"me:{PASSWORD}"])
def test_a_call_goes_through_a_tunnel_which_sees_none_of_it(pem: Path, user: str) -> None:
    async def main() -> tuple[Reply, list[bytes], list[bytes], str]:
        async with answering(ACCEPTING, tls=tls_of(pem)) as server, proxying(user=user) as proxy:
            reply = await put(server.url, network_of(proxy.address(user), pem))
            return reply, proxy.asked, server.requests, urlsplit(server.url).netloc

    reply, asked, requests, netloc = asyncio.run(main())
    assert reply.verdict is Verdict.ACCEPTED
    assert [one.split(b"\r\n")[0] for one in asked] == [f"CONNECT {netloc} HTTP/1.1".encode()]
    assert b"Zoho-oauthtoken" not in asked[0]
    assert (b"Proxy-Authorization" in asked[0]) == bool(user)
    (request,) = requests
    assert b"Zoho-oauthtoken token-1" in request
    assert b"proxy" not in request.lower()


@pytest.mark.parametrize("user", ["", f"me:{PASSWORD}"])
def test_a_call_without_tls_is_forwarded(user: str) -> None:
    async def main() -> tuple[Reply, list[bytes], str]:
        async with answering(ACCEPTING) as server, proxying(user=user) as proxy:
            reply = await put(server.url, network_of(proxy.address(user)))
            return reply, proxy.asked, server.url

    reply, asked, url = asyncio.run(main())
    assert reply.verdict is Verdict.ACCEPTED
    assert asked[0].startswith(f"PUT {url}/crm/".encode())


@pytest.mark.parametrize("status", [403, 407, 502, 503])
def test_a_tunnel_that_is_refused_is_not_taken_for_zohos_refusal(pem: Path, status: int) -> None:
    async def main() -> Reply:
        async with (
            answering(ACCEPTING, tls=tls_of(pem)) as server,
            proxying(refuses=status) as proxy,
        ):
            return await put(server.url, network_of(proxy.address(f"me:{PASSWORD}"), pem))

    reply = asyncio.run(main())
    assert reply.verdict is Verdict.UNREACHABLE
    assert reply.message == (
        f"The proxy on the way to 127.0.0.1 refused to connect (HTTP {status})."
    )
    assert "network.proxy" in reply.remedy
    assert PASSWORD not in repr(reply)


@pytest.mark.parametrize(("status", "verdict"), [(403, "lost"), (407, "lost"), (502, "broken")])
def test_a_page_in_place_of_an_answer_is_not_taken_for_zohos_refusal(
    status: int, verdict: str
) -> None:
    async def main() -> tuple[Reply, list[bytes]]:
        async with answering(ACCEPTING) as server, proxying(refuses=status) as proxy:
            return await put(server.url, network_of(proxy.url)), server.requests

    reply, requests = asyncio.run(main())
    assert (reply.verdict, requests) == (verdict, [])
    assert str(status) in reply.message


@pytest.mark.parametrize(
    ("given", "needed", "verdict"),
    [("", f"me:{PASSWORD}", Verdict.UNREACHABLE), ("me:wrong", f"me:{PASSWORD}", "unreachable")],
)
def test_a_proxy_that_wants_another_password_is_told(
    pem: Path, given: str, needed: str, verdict: str
) -> None:
    async def main() -> Reply:
        async with answering(ACCEPTING, tls=tls_of(pem)) as server, proxying(user=needed) as proxy:
            return await put(server.url, network_of(proxy.address(given), pem))

    reply = asyncio.run(main())
    assert reply.verdict == verdict
    assert "(HTTP 407)" in reply.message
    assert "sign-in" in reply.remedy


@pytest.mark.parametrize(
    ("proxy", "told"),
    [
        ("127.0.0.1:9", "The proxy on the way to localhost cannot be reached."),
        (
            "no-such-proxy.invalid:3128",
            "The name of the proxy on the way to localhost could not be looked up (DNS).",
        ),
    ],
)
def test_a_proxy_that_is_not_there_is_told(proxy: str, told: str) -> None:
    reply = asyncio.run(put("https://localhost:9", network_of(f"http://me:{PASSWORD}@{proxy}")))
    assert (reply.verdict, reply.message) == (Verdict.UNREACHABLE, told)
    assert "network.proxy" in reply.remedy


# -- which proxy -----------------------------------------------------------------------------

ZOHO = "https://www.zohoapis.eu"
ENVIRONMENT_PROXY = "http://from-environment.test:3128"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, ZOHO, None),
        ({"HTTPS_PROXY": ENVIRONMENT_PROXY}, ZOHO, ENVIRONMENT_PROXY),
        ({"https_proxy": ENVIRONMENT_PROXY}, ZOHO, ENVIRONMENT_PROXY),
        ({"ALL_PROXY": ENVIRONMENT_PROXY}, ZOHO, ENVIRONMENT_PROXY),
        ({"HTTPS_PROXY": ENVIRONMENT_PROXY, "ALL_PROXY": "socks5://x"}, ZOHO, ENVIRONMENT_PROXY),
        ({"HTTPS_PROXY": "from-environment.test:3128"}, ZOHO, ENVIRONMENT_PROXY),
        ({"HTTPS_PROXY": ENVIRONMENT_PROXY, "NO_PROXY": "zohoapis.eu"}, ZOHO, None),
        ({"HTTPS_PROXY": ENVIRONMENT_PROXY, "NO_PROXY": "a.test, .zohoapis.eu"}, ZOHO, None),
        ({"HTTPS_PROXY": ENVIRONMENT_PROXY, "no_proxy": "*"}, ZOHO, None),
        ({"HTTPS_PROXY": ENVIRONMENT_PROXY, "NO_PROXY": "zoho.eu"}, ZOHO, ENVIRONMENT_PROXY),
        ({"HTTP_PROXY": ENVIRONMENT_PROXY}, ZOHO, None),
        # Without TLS it can only be this machine, such as a stand-in for Zoho.
        ({"HTTP_PROXY": ENVIRONMENT_PROXY}, "http://127.0.0.1:8080", None),
        ({"ALL_PROXY": ENVIRONMENT_PROXY}, "http://localhost:8080", None),
    ],
)
def test_without_a_setting_the_environment_names_the_proxy(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert NetworkSettings().proxy_to(url) == proxy


def test_a_setting_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", ENVIRONMENT_PROXY)
    monkeypatch.setenv("NO_PROXY", "*")
    assert network_of("http://ours.test:1").proxy_to(ZOHO) == "http://ours.test:1"


BAD_PROXIES = [
    f"socks5://me:{PASSWORD}@proxy.test:1080",
    f"http://me:{PASSWORD}@",
    f"http://me:{PASSWORD}@proxy.test:port",
    f"http://me:{PASSWORD}@[proxy.test",
    f"http://me:{PASSWORD}/{PASSWORD}@proxy.test:3128",
    f"http://me:{PASSWORD}@proxy.test:0",
]


@pytest.mark.parametrize("proxy", BAD_PROXIES)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_variable_that_names_no_usable_proxy_is_told_without_its_password(
    proxy: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(UsageError) as told:
        NetworkSettings().check(ZOHO)
    assert str(told.value) == f"{variable}: a proxy is like http://proxy.example.com:3128."


@pytest.mark.parametrize("proxy", BAD_PROXIES)
def test_a_setting_that_names_no_usable_proxy_is_told_without_its_password(proxy: str) -> None:
    with pytest.raises(UsageError) as told:
        load(environment={"BATCHLOCK_NETWORK__PROXY": proxy})
    assert str(told.value) == (
        "BATCHLOCK_NETWORK__PROXY: a proxy is like http://proxy.example.com:3128"
    )


def test_a_proxy_of_the_settings_need_not_say_http() -> None:
    settings = load(environment={"BATCHLOCK_NETWORK__PROXY": f"me:{PASSWORD}@proxy.test:3128"})
    assert settings.network.proxy_to(ZOHO) == f"http://me:{PASSWORD}@proxy.test:3128"
    assert PASSWORD not in repr(settings)


# -- certificates ----------------------------------------------------------------------------


def test_a_certificate_of_ones_own_is_trusted_once_it_is_named(pem: Path) -> None:
    async def main() -> list[Reply]:
        async with answering(ACCEPTING, tls=tls_of(pem)) as server:
            return [
                await put(server.url, network)
                for network in (NetworkSettings(), NetworkSettings(ca_file=pem))
            ]

    stranger, known = asyncio.run(main())
    assert stranger.verdict is Verdict.UNREACHABLE
    assert stranger.message == "The certificate of 127.0.0.1 is not trusted (TLS)."
    assert "network.ca_file" in stranger.remedy
    assert known.verdict is Verdict.ACCEPTED


def test_a_named_certificate_is_trusted_beside_the_others(pem: Path) -> None:
    system = NetworkSettings().ssl_context().cert_store_stats()["x509_ca"]
    assert NetworkSettings(ca_file=pem).ssl_context().cert_store_stats()["x509_ca"] == system + 1


def test_a_certificate_may_be_named_from_the_home_folder(pem: Path) -> None:
    pem.rename(Path.home() / "ca.pem")
    NetworkSettings(ca_file=Path("~/ca.pem")).ssl_context()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file or directory"),
        (b"", "it holds no certificates"),
        (b"not a certificate", "it holds no certificates"),
        (b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "it holds no cert"),
        (SELF_SIGNED.partition("-----BEGIN CERT")[0].encode(), "it holds no certificates"),
    ],
)
def test_a_file_of_certificates_that_cannot_be_used_is_told(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as told:
        NetworkSettings(ca_file=path).check(ZOHO)
    assert str(told.value).startswith(f"network.ca_file: {path}: {why}")


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True),
     ("www.zohoapis.com", False), ("10.0.0.1", False), ("127.0.0.1.nip.io", False), ("", False)],
)  # fmt: skip
def test_this_machine_is_known_by_its_names(host: str, is_it: bool) -> None:
    assert is_this_machine(host) is is_it


# -- the whole command -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stand-in for Zoho with TLS, and a proxy before it."""

    simulator: Simulator
    url: str
    proxy: Proxy


@asynccontextmanager
async def place_of(pem: Path, *, user: str = "", refuses: int = 0) -> AsyncIterator[Place]:
    async with serving(Behaviour()) as simulator:
        target = urlsplit(simulator.url)
        assert target.port is not None
        port = target.port

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await join(reader, writer, "127.0.0.1", port, b"")

        async with (
            listening(serve, tls_of(pem)) as secure,
            proxying(user=user, refuses=refuses) as proxy,
        ):
            yield Place(simulator=simulator, url=f"https://127.0.0.1:{secure}", proxy=proxy)


def configure(place: Place, network: dict[str, str]) -> None:
    zoho = {
        "api_url": place.url,
        "accounts_url": place.url,
        "client_id": "me",
        "client_secret": "secret",
        "refresh_token": "mine",
    }
    settings = {
        "state_directory": "state",
        "zoho": zoho,
        "network": network,
        "retry": {"give_up_after": "1s", "first_wait": "10ms"},
    }
    Path("config.yaml").write_text(json.dumps(settings), "utf-8")


async def run(place: Place, environment: dict[str, str], **network: str) -> Done:
    configure(place, network)
    process = await asyncio.create_subprocess_exec(
        *command("run", sheet("in.csv", rows(3)), "-vv", "--json", "-o", "out.csv"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


def everything(done: Done) -> bytes:
    """All that a run has said and left, but for the configuration that it was given."""
    left = [path for path in Path().rglob("*") if path.is_file() and path.name != "config.yaml"]
    assert any("log" in path.name for path in left)
    return b"".join([done.out.encode(), done.err.encode(), *(path.read_bytes() for path in left)])


def password_in(content: bytes) -> bool:
    forms = [PASSWORD.encode(), base64.b64encode(f"me:{PASSWORD}".encode())]
    return any(one in content for one in forms)


@pytest.mark.parametrize("given", ["settings", "environment"])
def test_a_run_goes_through_a_proxy_to_a_server_with_a_certificate_of_its_own(
    pem: Path, given: str
) -> None:
    async def main() -> tuple[Done, int, list[bytes]]:
        async with place_of(pem, user=f"me:{PASSWORD}") as place:
            address = place.proxy.address(f"me:{PASSWORD}")
            if given == "settings":
                done = await run(place, {}, proxy=address, ca_file=str(pem))
            else:
                done = await run(place, {"HTTPS_PROXY": address, "SSL_CERT_FILE": str(pem)})
            return done, place.simulator.ledger.count(Kind.PUT), place.proxy.asked

    done, puts, asked = asyncio.run(main())
    assert (done.code, puts) == (0, 3), done.err
    assert json.loads(done.out)["counts"]["updated"] == 3
    assert asked
    assert all(one.startswith(b"CONNECT ") for one in asked)
    assert not password_in(everything(done))


def test_no_proxy_keeps_a_run_from_the_proxy(pem: Path) -> None:
    async def main() -> tuple[Done, list[bytes]]:
        async with place_of(pem, refuses=403) as place:
            names = {"HTTPS_PROXY": place.proxy.url, "NO_PROXY": "127.0.0.1"}
            done = await run(place, {**names, "SSL_CERT_FILE": str(pem)})
            return done, place.proxy.asked

    done, asked = asyncio.run(main())
    assert (done.code, asked) == (0, [])


@pytest.mark.parametrize("refuses", [403, 407])
def test_a_proxy_that_refuses_stops_the_run_and_the_password_stays_hidden(
    pem: Path, refuses: int
) -> None:
    async def main() -> tuple[Done, Simulator]:
        async with place_of(pem, refuses=refuses) as place:
            address = place.proxy.address(f"me:{PASSWORD}")
            return await run(place, {}, proxy=address, ca_file=str(pem)), place.simulator

    done, simulator = asyncio.run(main())
    assert done.code == 6, done.err
    assert f"refused to connect (HTTP {refuses})" in json.loads(done.out)["message"]
    assert json.loads(done.out)["counts"]["not_sent"] == 3
    assert simulator.ledger.count(Kind.TOKEN) == 0
    assert not password_in(everything(done))


@pytest.mark.parametrize(
    ("environment", "network", "told"),
    [
        ({"HTTPS_PROXY": f"socks5://me:{PASSWORD}@x.test"}, {}, "HTTPS_PROXY: a proxy is like"),
        ({}, {"ca_file": "missing.pem"}, "network.ca_file: missing.pem: no such file"),
        ({}, {"proxy": f"ftp://me:{PASSWORD}@x.test"}, "network.proxy: a proxy is like"),
    ],
)
def test_a_network_that_cannot_be_is_told_before_anything_is_done(
    pem: Path, environment: dict[str, str], network: dict[str, str], told: str
) -> None:
    async def main() -> Done:
        async with place_of(pem) as place:
            return await run(place, environment, **network)

    done = asyncio.run(main())
    assert done.code == 2
    assert told in json.loads(done.out)["message"]
    assert PASSWORD not in done.out + done.err
    assert not Path("state/runs").exists()


def test_a_rehearsal_needs_no_network(pem: Path) -> None:
    Path("config.yaml").write_text(
        "network: {proxy: 'http://127.0.0.1:9', ca_file: missing.pem}\nstate_directory: state\n"
    )

    async def main() -> int | None:
        process = await asyncio.create_subprocess_exec(
            *command("run", sheet("in.csv", rows(3)), "--simulate", "-q", "-o", "out.csv"),
            env={**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://x"},
            stdout=sys.stderr,
        )
        return await asyncio.wait_for(process.wait(), 60)

    assert asyncio.run(main()) == 0
