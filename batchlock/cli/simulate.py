"""`batchlock simulate`: the stand-in for Zoho in a process of its own."""

import asyncio
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import click

from batchlock.brake import Brake
from batchlock.config import seconds
from batchlock.errors import UsageError
from batchlock.simulator import Behaviour, Fault, serving

_TIMES = ("latency", "jitter", "token_lifetime", "retry_after")


def behaviour(given: Mapping[str, Any]) -> Behaviour:
    """Return how the options say that the stand-in shall behave; UsageError for nonsense."""
    told = {one.name: given[one.name] for one in fields(Behaviour) if given.get(one.name)}
    try:
        for name in _TIMES:
            if name in told:
                told[name] = seconds(told[name])
        if "in_flight_cap" in told:
            cap = told["in_flight_cap"]
            told["in_flight_cap"] = None if cap == "none" else int(cap)
        if "throttle_at" in told:
            told["throttle_at"] = frozenset(map(int, told["throttle_at"].split(",")))
        if "faults" in told:
            shares = (one.partition("=") for one in told["faults"])
            told["faults"] = {_fault(name): float(share) for name, _, share in shares}
        if given.get("credits") is not None:
            told["credits"] = given["credits"]
        return Behaviour(**told)
    except ValueError as error:
        raise UsageError(f"That makes no sense to the stand-in: {error}.") from None


def _fault(name: str) -> Fault:
    try:
        return Fault(name.strip().replace("-", "_"))
    except ValueError:
        raise ValueError(f"there is no fault {name}; there are {', '.join(Fault)}") from None


async def serve(shall: Behaviour, *, port: int, brake: Brake) -> None:
    """Run the stand-in until a signal comes."""
    over = asyncio.Event()
    brake.on_pull(over.set)
    try:
        async with serving(shall, port=port) as simulator:
            click.echo(
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
