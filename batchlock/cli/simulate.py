"""Run the stand-in for Zoho: `batchlock simulate`."""

import asyncio
from collections.abc import Callable
from typing import Any

from batchlock.cli.options import StandInOptions
from batchlock.cli.streams import echo
from batchlock.config import seconds
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UsageError
from batchlock.simulator import Behaviour, Fault, serving


def parse_behaviour(options: StandInOptions) -> Behaviour:
    """Return the behaviour that the options describe. Raises UsageError."""
    parsed = {}
    for name, value in options._asdict().items():
        # The default of an option that was not typed is the one of Behaviour.
        if value not in (None, ()):
            parse = _PARSERS.get(name)
            try:
                parsed[name] = value if parse is None else parse(value)
            except ValueError as error:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} {value}: {_EXPECTED.get(name) or error}.") from None
    try:
        return Behaviour(**parsed)
    except ValueError as error:
        raise UsageError(f"The stand-in cannot do that: {error}.") from None


def _parse_faults(texts: tuple[str, ...]) -> dict[Fault, float]:
    pairs = (text.partition("=") for text in texts)
    return {Fault(name.strip().replace("-", "_")): float(share) for name, _, share in pairs}


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "latency": seconds,
    "jitter": seconds,
    "token_lifetime": seconds,
    "retry_after": seconds,
    "in_flight_cap": lambda text: None if text == "none" else int(text),
    "throttle_at": lambda text: frozenset(map(int, text.split(","))),
    "faults": _parse_faults,
}
_EXPECTED = {
    "in_flight_cap": "it is a number, or none",
    "throttle_at": "these are numbers of calls with commas between them",
    "faults": f"it is FAULT=SHARE, such as bad_gateway=0.05; the faults are {', '.join(Fault)}",
}


async def serve(behaviour: Behaviour, *, port: int, cancel_token: CancelToken) -> None:
    """Run the stand-in until a signal arrives. Raises UsageError when the port is in use."""
    cancelled = asyncio.Event()
    cancel_token.add_callback(cancelled.set)
    try:
        async with serving(behaviour, port=port) as simulator:
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
            await cancelled.wait()
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be used: {error.strerror}. Name another with --port."
        ) from None
