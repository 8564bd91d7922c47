"""Run the stand-in for Zoho: `batchlock simulate`."""

import asyncio
from collections.abc import Callable
from typing import Any

from batchlock.cli.simulate_options import InventoryOptions, StandInOptions
from batchlock.cli.streams import echo
from batchlock.config import seconds
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UsageError
from batchlock.simulator import (
    Behaviour,
    Composite,
    Edition,
    Fault,
    Inventory,
    OrgType,
    Unlisted,
    parse_inventory_json,
    sample_inventory,
    serving,
)


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


def _parse_credits(text: str) -> int | str:
    return text if text == "edition" else int(text)


def _parse_cap(text: str) -> int | str | None:
    return None if text == "none" else _parse_credits(text)


def _parse_numbers(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(",")))


def _parse_scopes(text: str) -> frozenset[str]:
    return frozenset(scope.strip() for scope in text.split(","))


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "latency": seconds,
    "jitter": seconds,
    "edition": Edition,
    "org_type": OrgType,
    "composite": Composite,
    "unlisted": Unlisted,
    "token_lifetime": seconds,
    "retry_after": seconds,
    "in_flight_cap": _parse_cap,
    "credits": _parse_credits,
    "scopes": _parse_scopes,
    "throttle_at": _parse_numbers,
    "composite_lost_at": _parse_numbers,
    "faults": _parse_faults,
}
_NUMBERS = "these are numbers of calls with commas between them"
_EXPECTED = {
    "edition": f"it is one of {', '.join(Edition)}",
    "org_type": f"it is one of {', '.join(OrgType)}",
    "composite": f"it is one of {', '.join(Composite)}",
    "unlisted": f"it is one of {', '.join(Unlisted)}",
    "in_flight_cap": "it is a number, edition or none",
    "credits": "it is a number, or edition",
    "throttle_at": _NUMBERS,
    "composite_lost_at": _NUMBERS,
    "faults": f"it is FAULT=SHARE, such as bad_gateway=0.05; the faults are {', '.join(Fault)}",
}


def parse_inventory(options: InventoryOptions) -> Inventory | None:
    """Return the records that the options describe, or None. Raises UsageError."""
    file, size = options
    if file is not None and size is not None:
        raise UsageError("--inventory and --inventory-size cannot be combined. Use one of them.")
    if size is not None:
        return sample_inventory(size)
    if file is None:
        return None
    try:
        return parse_inventory_json(file.read_bytes()).inventory()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}. Correct its name.") from None
    except ValueError as error:
        raise UsageError(f"{file}: {error}. docs/simulator.md shows the format.") from None


async def serve(
    behaviour: Behaviour, inventory: Inventory | None, *, port: int, cancel_token: CancelToken
) -> None:
    """Run the stand-in until a signal arrives. Raises UsageError when the port is in use."""
    cancelled = asyncio.Event()
    cancel_token.add_callback(cancelled.set)
    try:
        async with serving(behaviour, inventory=inventory, port=port) as simulator:
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
