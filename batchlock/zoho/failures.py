"""Failures between this machine and Zoho, in words, for calls and token requests alike."""

import errno
import socket
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

_NETWORK = "Check this machine's network connection, then run the same command again."
_MIDDLE = "Ask your network administrator what stands between this machine and Zoho."

# What a resolver answers for a name that does not exist; EAI_AGAIN means that it gave no answer.
# Some systems lack the second.
_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))

# Seconds for connecting. Enough for a slow proxy; an attempt that takes longer rarely succeeds.
_MAX_CONNECT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """Why there is no answer of Zoho."""

    sent: bool  # whether the request may have reached Zoho all the same
    message: str
    remedy: str
    is_permanent: bool = False
    """Whether waiting mends nothing, so that a person must act, as long as nothing has worked.

    After an answer from Zoho the set-up is known to be right. Then the same failure is an outage,
    such as a VPN that has ended, and is waited for.
    """


_CHECK_PROXY = "Check network.proxy in the configuration, or HTTPS_PROXY"

# Exceptions before the request is sent, and after it may have been: type, message, remedy. The
# first matching type counts, so a subclass stands before its base class.
_NOT_SENT = (
    (
        aiohttp.ClientHttpProxyError,
        "The proxy on the way to {host} refused to connect (HTTP {status}).",
        f"{_CHECK_PROXY}, and its sign-in.",
    ),
    (
        aiohttp.ClientProxyConnectionError,
        "The proxy on the way to {host} cannot be reached.",
        f"{_CHECK_PROXY}.",
    ),
    (
        aiohttp.ClientConnectorDNSError,
        "The name {host} could not be looked up (DNS).",
        f"{_NETWORK} If only this name fails, check zoho.data_center in the configuration.",
    ),
    (
        aiohttp.ClientConnectorCertificateError,
        "The certificate of {host} is not trusted (TLS).",
        # A wrong clock makes every certificate look expired or not yet valid.
        (
            "Check this machine's date and time. A firewall that opens encrypted traffic shows its "
            "own certificate: ask your network administrator for the file to name as "
            "network.ca_file in the configuration."
        ),
    ),
    (aiohttp.ClientSSLError, "No encrypted connection to {host} could be made (TLS).", _MIDDLE),
    (aiohttp.ClientConnectorError, "No connection to {host} could be made.", _NETWORK),
    (aiohttp.ConnectionTimeoutError, "Connecting to {host} took too long.", _NETWORK),
)
_MAYBE_SENT = (
    (TimeoutError, "{host} timed out: no answer within {timeout:g} s.", _NETWORK),
    (aiohttp.ClientPayloadError, "The answer of {host} was cut short.", _NETWORK),
    (aiohttp.ClientResponseError, "The answer of {host} is not HTTP.", _MIDDLE),
    # For every other exception: the request may have been sent, so that is assumed.
    (Exception, "{host} closed the connection before it answered.", _NETWORK),
)
_FAILURES = tuple(
    (kind, TransportFailure(sent, message, remedy))
    for sent, table in ((False, _NOT_SENT), (True, _MAYBE_SENT))
    for kind, message, remedy in table
)
_REFUSED = TransportFailure(
    sent=False,
    message="{host} refused the connection.",
    remedy=f"{_NETWORK} If the error continues, ask your network administrator whether a firewall "
    "blocks it.",
)
_NO_SUCH_PROXY = TransportFailure(
    sent=False,
    message="The name of the proxy on the way to {host} could not be looked up (DNS).",
    remedy=f"{_CHECK_PROXY}. A proxy of your company may need its network or VPN.",
)


def call_limits(timeout: float) -> aiohttp.ClientTimeout:
    """Return the time limits of a call that may take `timeout` seconds from start to end.

    Connecting has a limit of its own: a call that failed while connecting was never sent.
    """
    return aiohttp.ClientTimeout(total=timeout, connect=min(_MAX_CONNECT_SECONDS, timeout / 2))


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return the body, or None and close the connection when it has more than `limit` bytes."""
    parts = []
    remaining = limit
    while part := await response.content.read(remaining + 1):
        remaining -= len(part)
        if remaining < 0:
            response.close()
            return None
        parts.append(part)
    return b"".join(parts)


def describe(error: Exception, *, host: str, timeout: float) -> TransportFailure:
    """Return why a call to `host` with a limit of `timeout` seconds got no answer."""
    is_proxy_error = isinstance(error, aiohttp.ClientProxyConnectionError)
    refused = isinstance(error, aiohttp.ClientConnectorError) and error.errno == errno.ECONNREFUSED
    # aiohttp raises the same error for the name of the proxy as for the name of the host.
    if isinstance(error, aiohttp.ClientConnectorDNSError) and error.host != host:
        failure = _NO_SUCH_PROXY
    elif refused and not is_proxy_error:
        failure = _REFUSED
    else:
        failure = next(failure for kind, failure in _FAILURES if isinstance(error, kind))
    status = getattr(error, "status", None)
    message = failure.message.format(host=host, timeout=timeout, status=status)
    return TransportFailure(
        sent=failure.sent,
        message=message,
        remedy=failure.remedy,
        is_permanent=_is_set_up_wrong(error, is_proxy_name=failure is _NO_SUCH_PROXY),
    )


def _is_set_up_wrong(error: Exception, *, is_proxy_name: bool) -> bool:
    """Return whether an error cannot go away by itself.

    A proxy's name that does not exist (unlike one that cannot be looked up just now) is mistyped or
    of another network. A proxy that is down or refuses one server may do better later. Zoho's own
    names are waited for: they are right unless zoho.api_url is set, and DNS often fails for all.
    """
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return is_proxy_name and error.errno in _NO_SUCH_NAME
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    return isinstance(error, aiohttp.ClientConnectorCertificateError)


def unexpected_response(status: int, content: bytes | None) -> TransportFailure:
    """Return what came back in place of Zoho's answer; `content` is None when it was too long."""
    if 300 <= status < 400:
        what = f"The call was sent on to another address (HTTP {status}), which is not followed;"
    elif status == 407:
        what = f"A proxy asks for a sign-in of its own (HTTP {status});"
    elif content is None:
        what = f"The answer is too long to be Zoho's (HTTP {status});"
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
