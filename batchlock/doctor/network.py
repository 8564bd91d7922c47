"""Checks of the way to Zoho: proxy, names, certificates, the answers of both servers, the clock."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.doctor.checks import AWAY, Check, bad, doubtful, good, skipped
from batchlock.doctor.timing import in_thread, limited
from batchlock.zoho.network import NetworkSettings, is_this_machine
from batchlock.zoho.settings import ZohoSettings

# Clocks that are set by the network are right within a tenth of a second.
_MAX_CLOCK_SECONDS = 5.0
# Zoho's certificates are renewed weeks before their end.
_SOON = timedelta(days=7)
_LOOK_UP_SECONDS = 10.0
_CHECK_NETWORK = "Check this machine's network connection and its name servers."


@dataclass(frozen=True, slots=True)
class Server:
    """One of the two servers of Zoho that batchlock calls."""

    name: str
    """`accounts` or `api`."""
    words: str
    url: str
    path: str

    @property
    def host(self) -> str:
        """The name of its machine."""
        return urlsplit(self.url).hostname or ""


def servers_of(zoho: ZohoSettings) -> tuple[Server, Server]:
    """Return the accounts server and the server of the API."""
    from batchlock.zoho.probe import ACCOUNTS_PATH, API_PATH

    return (
        Server("accounts", "the sign-in", zoho.accounts, ACCOUNTS_PATH),
        Server("api", "the API", zoho.api, API_PATH.format(version=zoho.api_version)),
    )


async def check_network(settings: Settings, *, call_seconds: float) -> list[Check]:
    """Return the checks of the way to both servers; those of one do not wait for the other.

    A server may take `call_seconds` for its answer.
    """
    network = settings.network
    servers = await in_thread(servers_of, settings.zoho)
    static = await limited("network.certificates", _set_up(network), seconds=_LOOK_UP_SECONDS)
    if any(check.exit_code for check in static):
        reason = "Not checked, since proxy or certificates cannot be used."
        return [*static, *(skipped(f"network.{server.name}", reason) for server in servers)]
    results = await asyncio.gather(
        *(_check_server(network, server, call_seconds) for server in servers)
    )
    ahead = [result.clock for result in results if result.clock is not None]
    clock = _check_clock(ahead) if ahead else _NO_CLOCK
    return [*static, *(check for result in results for check in result.checks), clock]


@dataclass(frozen=True, slots=True)
class _ServerResult:
    checks: list[Check]
    clock: tuple[float, float] | None = None
    """By how many seconds the clock is ahead, and how far off that may be."""


async def _check_server(
    network: NetworkSettings, server: Server, call_seconds: float
) -> _ServerResult:
    name_id, server_id = f"network.{server.name}_name", f"network.{server.name}"
    names = await limited(
        name_id,
        _check_name(network, server),
        seconds=_LOOK_UP_SECONDS,
        exit_code=AWAY,
    )
    if any(check.exit_code for check in names):
        return _ServerResult(
            [*names, skipped(server_id, f"Not checked, since {server.host} is not found.")]
        )
    clocks: list[tuple[float, float]] = []
    answers = await limited(
        server_id,
        _check_answer(network, server, clocks, call_seconds),
        seconds=2 * call_seconds,
        exit_code=AWAY,
    )
    return _ServerResult([*names, *answers], clocks[0] if clocks else None)


async def _set_up(network: NetworkSettings) -> list[Check]:
    """Return the checks of proxy and certificates that need no connection."""
    return await in_thread(_set_up_checks, network)


def _set_up_checks(network: NetworkSettings) -> list[Check]:
    from batchlock.zoho.probe import certificate_source

    # Wrong variables are named before the certificates, which depend on them.
    network.check()
    source, count = certificate_source(network)
    text = f"Servers are trusted by {source}"
    if not count:
        # A folder is opened by OpenSSL when a certificate is needed, so it counts as none here.
        return [
            doubtful(
                "network.certificates",
                f"{text}, in which no certificate is loaded yet.",
                "If a server is not trusted, install the certificates of the system (the package "
                "ca-certificates), or name a file with SSL_CERT_FILE.",
            )
        ]
    return [good("network.certificates", f"{text}.")]


async def _check_name(network: NetworkSettings, server: Server) -> list[Check]:
    """Return the check of the name of a server, or of the proxy on the way to it."""
    from batchlock.zoho.probe import address_of, look_up

    check_id = f"network.{server.name}_name"
    proxy = network.proxy_to(server.url)  # raises UsageError
    host, port = address_of(server.url if proxy is None else proxy)
    what = host if proxy is None else f"the proxy {host}"
    try:
        addresses = await in_thread(look_up, host, port)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no name"
        if proxy is not None:
            remedy = "Check network.proxy in the configuration, or HTTPS_PROXY."
        else:
            remedy = f"{_CHECK_NETWORK} If only this name fails, check zoho.data_center."
        return [
            bad(
                check_id,
                f"The name of {what} cannot be looked up (DNS): {why}.",
                remedy,
                exit_code=AWAY,
            )
        ]
    if proxy is not None:
        source = "HTTPS_PROXY" if network.proxy is None else "network.proxy"
        text = f"Calls to {server.host} go by the proxy {host}:{port} ({source})."
    elif is_this_machine(host):
        text = f"{host} is this machine."
    else:
        text = f"{host} is {addresses[0]}, and no proxy is used."
    return [good(check_id, text)]


async def _check_answer(
    network: NetworkSettings, server: Server, clocks: list[tuple[float, float]], call_seconds: float
) -> list[Check]:
    """Return the check of the connection to a server and of its answer; add its clock."""
    from batchlock.zoho.probe import ProbeResult, probe

    result: ProbeResult = await probe(
        f"{server.url}{server.path}",
        network,
        timeout_seconds=call_seconds,
        is_api=server.name == "api",
    )
    if result.clock_ahead_seconds is not None:
        clocks.append((result.clock_ahead_seconds, result.clock_error_seconds))
    check_id = f"network.{server.name}"
    failure = result.failure
    if failure is not None:
        why = f" ({result.tls_problem})" if result.tls_problem else ""
        remedy = failure.remedy.removesuffix(", then run the same command again.")
        if result.is_out_of_time:
            remedy = f"Set the clock of this machine, which says {_now()}. {remedy}"
        exit_code = UsageError.exit_code if failure.is_permanent else AWAY
        message = f"{failure.message.rstrip('.')}{why}."
        return [bad(check_id, message, f"{remedy.rstrip('.')}.", exit_code=exit_code)]
    certificate = result.certificate
    if certificate is None:
        return [good(check_id, f"{server.host} ({server.words}) answers, without TLS.")]
    until = certificate.valid_until
    text = (
        f"{server.host} ({server.words}) answers by {certificate.protocol}; its certificate is by "
        f"{certificate.issuer}"
    )
    if until is None:
        return [good(check_id, f"{text}.")]
    text += f", valid until {until:%Y-%m-%d}."
    if until - datetime.now(UTC) < _SOON:
        return [
            doubtful(
                check_id,
                text,
                "Check the clock of this machine. If a firewall opens encrypted traffic, its "
                "certificate must be renewed.",
            )
        ]
    return [good(check_id, text)]


_NO_CLOCK = skipped("network.clock", "Not checked, since no server has said its time.")


def _check_clock(clocks: list[tuple[float, float]]) -> Check:
    """Return the check of the clock, by the answer whose time is known best."""
    ahead, error = min(clocks, key=lambda clock: clock[1])
    if abs(ahead) - error <= _MAX_CLOCK_SECONDS:
        return good(
            "network.clock", f"The clock of this machine agrees with Zoho's within {error:.0f} s."
        )
    where = "ahead of" if ahead > 0 else "behind"
    return doubtful(
        "network.clock",
        f"The clock of this machine is {abs(ahead):,.0f} s {where} Zoho's.",
        "Let the system set it by the network (NTP). With a wrong clock, times in results cannot "
        "be compared with those in Zoho, runs stop and schedules begin at the wrong time, access "
        "tokens are used for too long, and certificates look invalid.",
    )


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
