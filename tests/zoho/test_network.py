import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from support.http_server import SELF_SIGNED, raw_server, tls_of
from support.proxy import PASSWORD, proxy_server
from support.zoho_calls import ACCEPTING, LOCK, UPDATE, RotatingTokens

from batchlock.config import load
from batchlock.core.errors import UsageError
from batchlock.core.reply import Reply, Verdict
from batchlock.zoho import network
from batchlock.zoho.client import Client, Endpoint, session
from batchlock.zoho.network import NetworkSettings, is_this_machine


async def put(url: str, network: NetworkSettings) -> Reply:
    async with session(
        limit=1, proxy=network.proxy_to(url), ssl_context=network.ssl_context()
    ) as http_session:
        client = Client(Endpoint(api_url=url, timeout=20), RotatingTokens(), http_session)
        return await client.put_reason(UPDATE, LOCK)


def network_of(proxy: str, ca_file: Path | None = None) -> NetworkSettings:
    return NetworkSettings(proxy=SecretStr(proxy), ca_file=ca_file)


@pytest.mark.parametrize("user", ["", f"me:{PASSWORD}"])
def test_a_tunnel_of_a_proxy_sees_nothing_of_a_call(pem: Path, user: str) -> None:
    async def main() -> tuple[Reply, list[bytes], list[bytes], str]:
        async with (
            raw_server(ACCEPTING, tls=tls_of(pem)) as server,
            proxy_server(user=user) as proxy,
        ):
            reply = await put(server.url, network_of(proxy.address(user), pem))
            return reply, proxy.requests_seen, server.requests, urlsplit(server.url).netloc

    reply, requests_seen, requests, netloc = asyncio.run(main())
    assert reply.verdict is Verdict.ACCEPTED
    assert [head.split(b"\r\n")[0] for head in requests_seen] == [
        f"CONNECT {netloc} HTTP/1.1".encode()
    ]
    assert b"Zoho-oauthtoken" not in requests_seen[0]
    assert (b"Proxy-Authorization" in requests_seen[0]) == bool(user)
    (request,) = requests
    assert b"Zoho-oauthtoken token-1" in request
    assert b"proxy" not in request.lower()


@pytest.mark.parametrize("user", ["", f"me:{PASSWORD}"])
def test_a_call_without_tls_is_forwarded_by_the_proxy(user: str) -> None:
    async def main() -> tuple[Reply, list[bytes], str]:
        async with raw_server(ACCEPTING) as server, proxy_server(user=user) as proxy:
            reply = await put(server.url, network_of(proxy.address(user)))
            return reply, proxy.requests_seen, server.url

    reply, requests_seen, url = asyncio.run(main())
    assert reply.verdict is Verdict.ACCEPTED
    assert requests_seen[0].startswith(f"PUT {url}/crm/".encode())


@pytest.mark.parametrize("status", [403, 407, 502, 503])
def test_a_refused_tunnel_is_unreachable(pem: Path, status: int) -> None:
    async def main() -> Reply:
        async with (
            raw_server(ACCEPTING, tls=tls_of(pem)) as server,
            proxy_server(refusal_status=status) as proxy,
        ):
            return await put(server.url, network_of(proxy.address(f"me:{PASSWORD}"), pem))

    reply = asyncio.run(main())
    assert reply.verdict is (Verdict.MISCONFIGURED if status == 407 else Verdict.UNREACHABLE)
    assert reply.message == (
        f"The proxy on the way to 127.0.0.1 refused to connect (HTTP {status})."
    )
    assert "network.proxy" in reply.remedy
    assert PASSWORD not in repr(reply)


@pytest.mark.parametrize(("status", "verdict"), [(403, "lost"), (407, "lost"), (502, "broken")])
def test_a_page_of_the_proxy_is_lost_or_broken(status: int, verdict: str) -> None:
    async def main() -> tuple[Reply, list[bytes]]:
        async with raw_server(ACCEPTING) as server, proxy_server(refusal_status=status) as proxy:
            return await put(server.url, network_of(proxy.url)), server.requests

    reply, requests = asyncio.run(main())
    assert (reply.verdict, requests) == (verdict, [])
    assert str(status) in reply.message


@pytest.mark.parametrize(
    ("user", "required", "verdict"),
    [
        ("", f"me:{PASSWORD}", Verdict.MISCONFIGURED),
        ("me:wrong", f"me:{PASSWORD}", Verdict.MISCONFIGURED),
    ],
)
def test_a_wrong_proxy_password_is_reported(
    pem: Path, user: str, required: str, verdict: str
) -> None:
    async def main() -> Reply:
        async with (
            raw_server(ACCEPTING, tls=tls_of(pem)) as server,
            proxy_server(user=required) as proxy,
        ):
            return await put(server.url, network_of(proxy.address(user), pem))

    reply = asyncio.run(main())
    assert reply.verdict == verdict
    assert "(HTTP 407)" in reply.message
    assert "sign-in" in reply.remedy


@pytest.mark.parametrize(
    ("proxy", "verdict", "message"),
    [
        (
            "127.0.0.1:9",
            Verdict.UNREACHABLE,
            "The proxy on the way to localhost cannot be reached.",
        ),
        (
            "no-such-proxy.invalid:3128",
            Verdict.MISCONFIGURED,
            "The name of the proxy on the way to localhost could not be looked up (DNS).",
        ),
    ],
)
def test_a_missing_proxy_is_reported(proxy: str, verdict: Verdict, message: str) -> None:
    reply = asyncio.run(put("https://localhost:9", network_of(f"http://me:{PASSWORD}@{proxy}")))
    assert (reply.verdict, reply.message) == (verdict, message)
    assert "network.proxy" in reply.remedy


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


def test_the_setting_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_bad_proxy_of_the_environment_is_reported_without_its_password(
    proxy: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(UsageError) as message:
        NetworkSettings().check(ZOHO)
    assert str(message.value).startswith(
        f"{variable}: a proxy is like http://proxy.example.com:3128, "
    )
    assert PASSWORD not in str(message.value)


@pytest.mark.parametrize("proxy", BAD_PROXIES)
def test_a_bad_proxy_of_the_settings_is_reported_without_its_password(proxy: str) -> None:
    with pytest.raises(UsageError) as message:
        load(environment={"BATCHLOCK_NETWORK__PROXY": proxy})
    assert str(message.value).startswith(
        "BATCHLOCK_NETWORK__PROXY: a proxy is like http://proxy.example.com:3128, "
    )
    assert PASSWORD not in str(message.value)


def test_a_proxy_of_the_settings_needs_no_scheme() -> None:
    settings = load(environment={"BATCHLOCK_NETWORK__PROXY": f"me:{PASSWORD}@proxy.test:3128"})
    assert settings.network.proxy_to(ZOHO) == f"http://me:{PASSWORD}@proxy.test:3128"
    assert PASSWORD not in repr(settings)


@pytest.fixture(params=[False, True], ids=["ssl", "truststore"])
def _each_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the certificates as on Linux, then as on macOS and Windows."""
    monkeypatch.setattr(network, "_USE_TRUSTSTORE", request.param)


@pytest.mark.usefixtures("_each_store")
def test_the_certificate_file_of_the_environment_is_trusted(
    pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))

    async def main() -> Reply:
        async with raw_server(ACCEPTING, tls=tls_of(pem)) as server:
            return await put(server.url, NetworkSettings())

    assert asyncio.run(main()).verdict is Verdict.ACCEPTED


@pytest.mark.usefixtures("_each_store")
def test_a_certificate_is_trusted_once_it_is_named(pem: Path) -> None:
    async def main() -> list[Reply]:
        async with raw_server(ACCEPTING, tls=tls_of(pem)) as server:
            return [
                await put(server.url, network)
                for network in (NetworkSettings(), NetworkSettings(ca_file=pem))
            ]

    untrusted, trusted = asyncio.run(main())
    assert untrusted.verdict is Verdict.MISCONFIGURED
    assert untrusted.message == "The certificate of 127.0.0.1 is not trusted (TLS)."
    assert "network.ca_file" in untrusted.remedy
    assert trusted.verdict is Verdict.ACCEPTED


@pytest.mark.skipif(sys.platform != "linux", reason="truststore cannot count certificates")
def test_a_named_certificate_is_trusted_beside_the_others(pem: Path) -> None:
    system = NetworkSettings().ssl_context().cert_store_stats()["x509_ca"]
    assert NetworkSettings(ca_file=pem).ssl_context().cert_store_stats()["x509_ca"] == system + 1


def test_connections_share_a_context_until_a_file_of_certificates_changes(
    pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = NetworkSettings(ca_file=pem).ssl_context()
    assert NetworkSettings(ca_file=pem).ssl_context() is context
    assert NetworkSettings().ssl_context() is not context
    pem.write_text("", "utf-8")
    with pytest.raises(UsageError, match="holds no certificates"):
        NetworkSettings(ca_file=pem).ssl_context()
    pem.write_text(SELF_SIGNED, "utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    assert NetworkSettings(ca_file=pem).ssl_context() is not context


def test_a_certificate_file_may_be_in_the_home_folder(pem: Path) -> None:
    pem.rename(Path.home() / "ca.pem")
    load(environment={"BATCHLOCK_NETWORK__CA_FILE": "~/ca.pem"}).network.ssl_context()


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
def test_an_unusable_certificate_file_is_reported(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as message:
        NetworkSettings(ca_file=path).check(ZOHO)
    assert str(message.value).startswith(f"network.ca_file: {path}: {why}")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True),
     ("www.zohoapis.com", False), ("10.0.0.1", False), ("127.0.0.1.nip.io", False), ("", False)],
)  # fmt: skip
def test_loopback_hosts_are_this_machine(host: str, expected: bool) -> None:
    assert is_this_machine(host) is expected
