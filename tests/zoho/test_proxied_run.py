import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.commands import CommandResult
from support.forked_command import run_forked
from support.http_server import tls_of
from support.proxy import PASSWORD, Proxy, connect_both, listening, proxy_server
from support.sheets import rows, sheet

from batchlock.simulator import Behaviour, Kind, Simulator, serving


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiedSimulator:
    """A stand-in for Zoho with TLS, behind a proxy."""

    simulator: Simulator
    url: str
    proxy: Proxy


@asynccontextmanager
async def proxied_simulator(
    pem: Path, *, user: str = "", refusal_status: int = 0
) -> AsyncIterator[ProxiedSimulator]:
    async with serving(Behaviour()) as simulator:
        target = urlsplit(simulator.url)
        assert target.port is not None
        port = target.port

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await connect_both(reader, writer, "127.0.0.1", port, b"")

        async with (
            listening(serve, tls_of(pem)) as secure,
            proxy_server(user=user, refusal_status=refusal_status) as proxy,
        ):
            yield ProxiedSimulator(
                simulator=simulator, url=f"https://127.0.0.1:{secure}", proxy=proxy
            )


def configure(proxied: ProxiedSimulator, network: dict[str, str]) -> None:
    zoho = {
        "api_url": proxied.url,
        "accounts_url": proxied.url,
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


async def run(
    proxied: ProxiedSimulator, environment: dict[str, str], **network: str
) -> CommandResult:
    configure(proxied, network)
    arguments = ["run", str(sheet("in.csv", rows(3))), "-vv", "--json", "-o", "out.csv"]
    done = await asyncio.to_thread(run_forked, arguments, **environment)
    return CommandResult(done.returncode, done.stdout, done.stderr)


def output_of(completed: CommandResult) -> bytes:
    """Return the output of a run and all files that it wrote."""
    files = [path for path in Path().rglob("*") if path.is_file() and path.name != "config.yaml"]
    assert any("log" in path.name for path in files)
    return b"".join(
        [completed.out.encode(), completed.err.encode(), *(path.read_bytes() for path in files)]
    )


def password_in(content: bytes) -> bool:
    forms = [PASSWORD.encode(), base64.b64encode(f"me:{PASSWORD}".encode())]
    return any(form in content for form in forms)


@pytest.mark.parametrize("source", ["settings", "environment"])
def test_a_run_uses_the_proxy_and_the_certificate(pem: Path, source: str) -> None:
    async def main() -> tuple[CommandResult, int, list[bytes]]:
        async with proxied_simulator(pem, user=f"me:{PASSWORD}") as proxied:
            address = proxied.proxy.address(f"me:{PASSWORD}")
            if source == "settings":
                completed = await run(proxied, {}, proxy=address, ca_file=str(pem))
            else:
                completed = await run(proxied, {"HTTPS_PROXY": address, "SSL_CERT_FILE": str(pem)})
            return completed, proxied.simulator.ledger.count(Kind.PUT), proxied.proxy.requests_seen

    completed, puts, requests_seen = asyncio.run(main())
    assert (completed.code, puts) == (0, 3), completed.err
    assert json.loads(completed.out)["counts"]["updated"] == 3
    assert requests_seen
    assert all(head.startswith(b"CONNECT ") for head in requests_seen)
    assert not password_in(output_of(completed))


def test_a_run_obeys_no_proxy(pem: Path) -> None:
    async def main() -> tuple[CommandResult, list[bytes]]:
        async with proxied_simulator(pem, refusal_status=403) as proxied:
            names = {"HTTPS_PROXY": proxied.proxy.url, "NO_PROXY": "127.0.0.1"}
            completed = await run(proxied, {**names, "SSL_CERT_FILE": str(pem)})
            return completed, proxied.proxy.requests_seen

    completed, requests_seen = asyncio.run(main())
    assert (completed.code, requests_seen) == (0, [])


@pytest.mark.parametrize("refusal_status", [403, 407])
def test_a_refusing_proxy_stops_the_run_and_the_password_stays_hidden(
    pem: Path, refusal_status: int
) -> None:
    async def main() -> tuple[CommandResult, Simulator]:
        async with proxied_simulator(pem, refusal_status=refusal_status) as proxied:
            address = proxied.proxy.address(f"me:{PASSWORD}")
            return await run(proxied, {}, proxy=address, ca_file=str(pem)), proxied.simulator

    completed, simulator = asyncio.run(main())
    assert completed.code == (2 if refusal_status == 407 else 6), completed.err
    assert f"refused to connect (HTTP {refusal_status})" in json.loads(completed.out)["message"]
    assert json.loads(completed.out)["counts"]["not_sent"] == 3
    assert simulator.ledger.count(Kind.TOKEN) == 0
    assert not password_in(output_of(completed))


@pytest.mark.parametrize(
    ("environment", "network", "message"),
    [
        ({"HTTPS_PROXY": "no proxy here"}, {}, "HTTPS_PROXY: a proxy is like"),
        ({"HTTPS_PROXY": "3128"}, {}, "HTTPS_PROXY: a proxy is like"),
        ({"SSL_CERT_FILE": "/no/such.pem"}, {}, "SSL_CERT_FILE: there is nothing at /no/such.pem"),
        ({"SSL_CERT_FILE": "config.yaml"}, {}, "SSL_CERT_FILE: config.yaml: it holds no certif"),
        ({"SSL_CERT_FILE": "."}, {}, "SSL_CERT_FILE: .: is a directory"),
        ({"HTTPS_PROXY": f"socks5://me:{PASSWORD}@x.test"}, {}, "HTTPS_PROXY: a proxy is like"),
        ({}, {"ca_file": "missing.pem"}, "network.ca_file: missing.pem: no such file"),
        ({}, {"proxy": f"ftp://me:{PASSWORD}@x.test"}, "network.proxy: a proxy is like"),
    ],
)
def test_bad_network_settings_are_reported_before_anything_is_sent(
    pem: Path, environment: dict[str, str], network: dict[str, str], message: str
) -> None:
    async def main() -> CommandResult:
        async with proxied_simulator(pem) as proxied:
            return await run(proxied, environment, **network)

    completed = asyncio.run(main())
    assert completed.code == 2
    assert message in json.loads(completed.out)["message"]
    assert PASSWORD not in completed.out + completed.err
    assert not Path("state/runs").exists()


def test_a_rehearsal_uses_no_proxy_and_no_certificate(pem: Path) -> None:
    Path("config.yaml").write_text(
        "network: {proxy: 'http://127.0.0.1:9', ca_file: missing.pem}\nstate_directory: state\n"
    )

    arguments = ["run", str(sheet("in.csv", rows(3))), "--simulate", "-q", "-o", "out.csv"]
    done = run_forked(arguments, HTTP_PROXY="http://127.0.0.1:9", ALL_PROXY="socks5://x")
    assert done.returncode == 0, done.stderr
