"""`batchlock simulate`: the stand-in for Zoho in a process of its own."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from batchlock.cli.streams import echo
from batchlock.config import seconds
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UsageError
from batchlock.simulator import Behaviour, Fault, serving


def behaviour(given: Mapping[str, Any]) -> Behaviour:
    """Return how the options say that the stand-in shall behave; UsageError for nonsense."""
    told = {}
    for name, value in given.items():
        if value not in (None, ()):
            try:
                told[name] = _MEANING.get(name, _as_it_is)(value)
            except ValueError as error:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} {value}: {_EXPECTED.get(name) or error}.") from None
    try:
        return Behaviour(**told)
    except ValueError as error:
        raise UsageError(f"That makes no sense to the stand-in: {error}.") from None


def _as_it_is(value: Any) -> Any:
    return value


def _shares(told: tuple[str, ...]) -> dict[Fault, float]:
    shares = (one.partition("=") for one in told)
    return {Fault(name.strip().replace("-", "_")): float(share) for name, _, share in shares}


_MEANING: dict[str, Callable[[Any], Any]] = {
    "latency": seconds,
    "jitter": seconds,
    "token_lifetime": seconds,
    "retry_after": seconds,
    "in_flight_cap": lambda told: None if told == "none" else int(told),
    "throttle_at": lambda told: frozenset(map(int, told.split(","))),
    "faults": _shares,
}
_EXPECTED = {
    "in_flight_cap": "it is a number, or none",
    "throttle_at": "these are numbers of calls with commas between them",
    "faults": f"it is FAULT=SHARE, such as bad_gateway=0.05; the faults are {', '.join(Fault)}",
}


async def serve(shall: Behaviour, *, port: int, cancel_token: CancelToken) -> None:
    """Run the stand-in until a signal comes."""
    over = asyncio.Event()
    cancel_token.add_callback(over.set)
    try:
        async with serving(shall, port=port) as simulator:
            echo(
                f"A stand-in for Zoho listens on {simulator.url}\n\n"
                "zoho:\n"
                f"  api_url: {simulator.url}\n"
                f"  accounts_url: {simulator.url}\n"
                "  client_id: any\n"
                "  client_secret: any\n"
                "  refresh_token: any\n\n"
                "Stop it with Ctrl-C."
            )
            await over.wait()
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be had: {error.strerror}. Name another with --port."
        ) from None
