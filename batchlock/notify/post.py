"""One HTTP request of a notice, bounded in time, with the network settings of the calls to Zoho."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from batchlock.core.errors import UsageError
from batchlock.zoho.network import NetworkSettings

# Answers after which the same request may succeed a moment later: RFC 9110, and RFC 6585 for 429.
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class PostFailure:
    """Why a request was not accepted."""

    sentence: str
    is_temporary: bool


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    network: NetworkSettings,
    timeout: float,
) -> PostFailure | None:
    """Send a body to an address within `timeout` seconds; return None when it was accepted.

    Redirects are not followed: they would take the secret of the address to another host. Runs an
    event loop of its own, so it must not be called in one.
    """
    try:
        return asyncio.run(_post(url, body, headers, network=network, timeout=timeout))
    except UsageError as error:  # a proxy or certificates that cannot be used
        return PostFailure(str(error), is_temporary=False)


async def _post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    network: NetworkSettings,
    timeout: float,  # noqa: ASYNC109  aiohttp obeys it
) -> PostFailure | None:
    import aiohttp

    from batchlock.zoho.client import session
    from batchlock.zoho.failures import call_limits, describe

    host = urlsplit(url).hostname or ""
    # To load the certificates of the system takes 60 ms of CPU.
    context = network.ssl_context() if url.startswith("https:") else None
    connecting = session(limit=1, proxy=network.proxy_to(url), ssl_context=context)
    try:
        async with (
            connecting as client,
            client.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=call_limits(timeout),
            ) as response,
        ):
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        failure = describe(error, host=host, timeout=timeout)
        return PostFailure(failure.message, is_temporary=not failure.is_permanent)
    except ValueError:  # aiohttp.InvalidURL quotes the address
        return PostFailure("This is no address that can be used.", is_temporary=False)
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return PostFailure(
            f"{host} answered with a redirect (HTTP {status}), which is not followed. Name the "
            "address that it leads to.",
            is_temporary=False,
        )
    return PostFailure(
        f"{host} did not accept it (HTTP {status}).", is_temporary=status in _TEMPORARY
    )
