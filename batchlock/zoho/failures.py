"""What can go wrong between here and Zoho, in words: the same for a call and for a token."""

import errno
from dataclasses import dataclass

import aiohttp

_NETWORK = "Check this machine's network connection, then run the same command again."
_MIDDLE = "Ask your network administrator what stands between this machine and Zoho."


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """Why there is no answer."""

    sent: bool
    """Whether the request may have arrived all the same."""
    message: str
    remedy: str


# The first type that fits counts, so the particular ones stand before their families.
_TROUBLES: tuple[tuple[type[Exception], TransportFailure], ...] = (
    (
        aiohttp.ClientHttpProxyError,
        TransportFailure(
            sent=False,
            message="The proxy on the way to {host} refused to connect (HTTP {status}).",
            remedy="Check network.proxy in the configuration, or HTTPS_PROXY, and its sign-in.",
        ),
    ),
    (
        aiohttp.ClientProxyConnectionError,
        TransportFailure(
            sent=False,
            message="The proxy on the way to {host} cannot be reached.",
            remedy="Check network.proxy in the configuration, or HTTPS_PROXY.",
        ),
    ),
    (
        aiohttp.ClientConnectorDNSError,
        TransportFailure(
            sent=False,
            message="The name {host} could not be looked up (DNS).",
            remedy=f"{_NETWORK} If only this name fails, check zoho.data_center in the "
            "configuration.",
        ),
    ),
    (
        aiohttp.ClientConnectorCertificateError,
        TransportFailure(
            sent=False,
            message="The certificate of {host} is not trusted (TLS).",
            remedy="Check this machine's date and time. A firewall that opens encrypted traffic "
            "shows its own certificate: ask your network administrator for the file to name as "
            "network.ca_file in the configuration.",
        ),
    ),
    (
        aiohttp.ClientSSLError,
        TransportFailure(
            sent=False,
            message="No encrypted connection to {host} could be made (TLS).",
            remedy=_MIDDLE,
        ),
    ),
    (
        aiohttp.ClientConnectorError,
        TransportFailure(
            sent=False, message="No connection to {host} could be made.", remedy=_NETWORK
        ),
    ),
    (
        aiohttp.ConnectionTimeoutError,
        TransportFailure(
            sent=False, message="Connecting to {host} took too long.", remedy=_NETWORK
        ),
    ),
    (
        TimeoutError,
        TransportFailure(
            sent=True, message="{host} timed out: no answer within {timeout:g} s.", remedy=_NETWORK
        ),
    ),
    (
        aiohttp.ClientPayloadError,
        TransportFailure(sent=True, message="The answer of {host} was cut short.", remedy=_NETWORK),
    ),
    (
        aiohttp.ClientResponseError,
        TransportFailure(sent=True, message="The answer of {host} is not HTTP.", remedy=_MIDDLE),
    ),
)
_REFUSED = TransportFailure(
    sent=False,
    message="{host} refused the connection.",
    remedy=f"{_NETWORK} If it stays, ask your network administrator whether a firewall blocks it.",
)
_NO_SUCH_PROXY = TransportFailure(
    sent=False,
    message="The name of the proxy on the way to {host} could not be looked up (DNS).",
    remedy="Check network.proxy in the configuration, or HTTPS_PROXY.",
)
_CLOSED = TransportFailure(
    sent=True, message="{host} closed the connection before it answered.", remedy=_NETWORK
)


def call_limits(timeout: float) -> aiohttp.ClientTimeout:
    """Return the time limits of a call that may take `timeout` seconds from start to end.

    Connecting gets a part of them, so that a call which never left can be told from one that did.
    """
    return aiohttp.ClientTimeout(total=timeout, connect=min(15, timeout / 2))


async def read_at_most(answer: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return the body of `answer`, or None when it is longer: its connection is then closed."""
    parts = []
    left = limit
    while part := await answer.content.read(left + 1):
        left -= len(part)
        if left < 0:
            answer.close()
            return None
        parts.append(part)
    return b"".join(parts)


def describe(error: Exception, *, host: str, timeout: float) -> TransportFailure:
    """Say why a call to `host` that was given `timeout` seconds got no answer."""
    by_host = not isinstance(error, aiohttp.ClientProxyConnectionError)
    refused = isinstance(error, aiohttp.ClientConnectorError) and error.errno == errno.ECONNREFUSED
    if isinstance(error, aiohttp.ClientConnectorDNSError) and error.host != host:
        found = _NO_SUCH_PROXY
    elif by_host and refused:
        found = _REFUSED
    else:
        found = next((told for kind, told in _TROUBLES if isinstance(error, kind)), _CLOSED)
    status = getattr(error, "status", None)
    message = found.message.format(host=host, timeout=timeout, status=status)
    return TransportFailure(sent=found.sent, message=message, remedy=found.remedy)


def unexpected_response(status: int, content: bytes | None) -> TransportFailure:
    """Say what came back in place of an answer of Zoho; `content` None is one without end."""
    if 300 <= status < 400:
        what = f"The call was sent on to another address (HTTP {status}), which is not followed;"
    elif status == 407:
        what = f"A proxy asks for a sign-in of its own (HTTP {status});"
    elif content is None:
        what = f"Far more came back than Zoho ever answers (HTTP {status});"
    elif not content.strip():
        what = f"An empty answer came back (HTTP {status});"
    elif content.lstrip().startswith(b"<"):
        what = f"A web page came back instead of Zoho's answer (HTTP {status});"
    else:
        what = (
            f"Something other than Zoho's answer came back, or only a part of it (HTTP {status});"
        )
    return TransportFailure(
        sent=True, message=f"{what} a proxy or firewall may be in between.", remedy=_MIDDLE
    )
