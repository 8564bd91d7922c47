"""Look at the way to a server of Zoho: its name, the proxy, the certificate, and what answers.

No secret is sent. The API answers a call without a token with an error in its envelope, which is
enough to know that it is Zoho's.
"""

import asyncio
import os
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.connector import Connection

from batchlock import __version__
from batchlock.zoho.failures import (
    TransportFailure,
    call_limits,
    describe,
    read_at_most,
    unexpected_response,
)
from batchlock.zoho.network import NetworkSettings
from batchlock.zoho.replies import envelope_of, parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNTS_PATH = "/.well-known/openid-configuration"
"""A public document of the accounts server."""
API_PATH = "/crm/{version}/org"
"""A call of the API."""

# Bytes. Both answers have a few thousand.
_MAX_RESPONSE_SIZE = 256 * 1024
_DEFAULT_PORTS = {"https": 443, "http": 80}
# OpenSSL's numbers for a certificate that is not yet valid, and for one that has expired.
_OUT_OF_TIME = (9, 10)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that a server has shown."""

    issuer: str
    """The organisation that has issued it, or the name of the issuing certificate."""
    valid_until: datetime | None
    protocol: str
    """Such as `TLSv1.3`."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a server has answered, or why it has not."""

    failure: TransportFailure | None = None
    """None: the answer is one of Zoho's."""
    tls_problem: str = ""
    """What is wrong with the certificate, in the words of OpenSSL."""
    is_out_of_time: bool = False
    """Whether the certificate is not valid at the time of this machine."""
    certificate: Certificate | None = None
    """None without TLS, or without a connection."""
    clock_ahead_seconds: float | None = None
    """By how much the clock of this machine is ahead of the server's; None: it did not say."""
    clock_error_seconds: float = 0.0
    """How far off that may be: the header Date has whole seconds, and a call takes its time."""


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of an address."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises OSError; it may take as long as the resolver likes."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in addresses))


def certificate_source(network: NetworkSettings) -> tuple[str, int]:
    """Return where the certificates that are trusted come from, and how many are loaded.

    A folder of certificates is not counted, since OpenSSL opens its files when they are needed.
    Raises UsageError when they cannot be used.
    """
    paths = ssl.get_default_verify_paths()
    context = network.ssl_context()
    if type(context) is not ssl.SSLContext:  # truststore's, on macOS and Windows
        source = "the certificates of the system"
        count = 1
    else:
        count = context.cert_store_stats()["x509_ca"]
        places = [
            os.environ.get("SSL_CERT_FILE") or paths.cafile,
            os.environ.get("SSL_CERT_DIR") or paths.capath,
        ]
        source = " and ".join(filter(None, places)) or "no file or folder"
    if network.ca_file is not None:
        source += f", and network.ca_file ({network.ca_file})"
    return source, count


class _WatchedConnector(aiohttp.TCPConnector):
    """Keeps what TLS says about the last connection: aiohttp forgets it with a short answer."""

    certificate: Certificate | None = None

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        """Return a connection."""
        connection = await super().connect(*arguments, **options)
        transport = connection.transport
        if transport is not None and transport.get_extra_info("ssl_object") is not None:
            self.certificate = _certificate(transport)
        return connection


async def probe(
    url: str, network: NetworkSettings, *, timeout_seconds: float, is_api: bool
) -> ProbeResult:
    """Make one call without any secret, and return what came back.

    Raises UsageError when the proxy or the certificates cannot be used.
    """
    host, _ = address_of(url)
    connector = _WatchedConnector(ssl=network.ssl_context())
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"batchlock/{__version__}"},
        proxy=network.proxy_to(url),
    ) as session:
        started, started_monotonic = time.time(), time.monotonic()
        try:
            async with session.get(
                url, allow_redirects=False, timeout=call_limits(timeout_seconds)
            ) as response:
                content = await read_at_most(response, _MAX_RESPONSE_SIZE)
                seconds = time.monotonic() - started_monotonic
                status, date = response.status, response.headers.get("Date")
        except (aiohttp.ClientError, TimeoutError) as error:
            return _failed(error, host, timeout_seconds)
    ahead = None if date is None else _ahead(date, started + seconds / 2)
    return ProbeResult(
        failure=_not_zoho(status, content, is_api=is_api),
        certificate=connector.certificate,
        clock_ahead_seconds=ahead,
        clock_error_seconds=1.0 + seconds / 2,
    )


def _failed(error: Exception, host: str, timeout_seconds: float) -> ProbeResult:
    failure = describe(error, host=host, timeout=timeout_seconds)
    cause = getattr(error, "certificate_error", None) or error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ProbeResult(
            failure,
            tls_problem=cause.verify_message.rstrip("."),
            is_out_of_time=cause.verify_code in _OUT_OF_TIME,
        )
    return ProbeResult(failure)


def _not_zoho(status: int, content: bytes | None, *, is_api: bool) -> TransportFailure | None:
    """Return why an answer is not one of Zoho; None when it is.

    Only the API's envelope proves it. What the accounts server answers to this call is not
    documented for every data centre, so there a page of a proxy is known by its status only.
    """
    is_other = 300 <= status < 400 or status in (407, 511)
    if is_api:
        is_other = is_other or envelope_of(parsed(content)) is None
    if is_other or status >= 500:
        return unexpected_response(status, content)
    return None


def _ahead(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # an HTTP date is in UTC
        moment = moment.replace(tzinfo=UTC)
    # The second had begun at some time before: half of one on average.
    return now - moment.timestamp() - 0.5


def _certificate(transport: asyncio.BaseTransport) -> Certificate:
    ssl_object = transport.get_extra_info("ssl_object")
    details: Mapping[str, Any] = transport.get_extra_info("peercert") or {}
    names = {key: value for part in details.get("issuer", ()) for key, value in part}
    until = None
    if text := details.get("notAfter"):
        until = datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
    issuer = names.get("organizationName") or names.get("commonName") or "an unnamed issuer"
    return Certificate(issuer, until, ssl_object.version() or "TLS")
