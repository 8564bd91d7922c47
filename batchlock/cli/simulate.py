"""Run the stand-in for Zoho: `batchlock simulate`."""

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path
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
    Identity,
    Inventory,
    Orgs,
    OrgType,
    Unlisted,
    make_orgs,
    parse_inventory_json,
    sample_inventory,
    serving_orgs,
    write_orgs,
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


def parse_orgs(count: int, behaviour: Behaviour, records: InventoryOptions) -> Orgs:
    """Return the orgs of the stand-in, each with its own records. Raises UsageError."""
    inventory, size = parse_inventory(records), records.inventory_size

    def inventory_of(identity: Identity) -> Inventory | None:
        if identity.is_only:
            return inventory
        # The ids of generated records are those of the org; those of a file are kept.
        return copy.deepcopy(inventory) if size is None else sample_inventory(size, identity)

    try:
        return make_orgs(count, behaviour, inventory_of=inventory_of)
    except ValueError as error:
        raise UsageError(f"The stand-in cannot do that: {error}.") from None


async def serve(orgs: Orgs, file: Path | None, *, port: int, cancel_token: CancelToken) -> None:
    """Run the stand-in until a signal arrives; write its orgs to `file` first, if there is one.

    Raises UsageError when the port is in use, or the file cannot be written.
    """
    cancelled = asyncio.Event()
    cancel_token.add_callback(cancelled.set)
    try:
        async with serving_orgs(orgs, port=port):
            if file is not None:
                _write_orgs(file, orgs)
            echo(_greeting(orgs))
            await cancelled.wait()
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be used: {error.strerror}. Name another with --port."
        ) from None


def _write_orgs(file: Path, orgs: Orgs) -> None:
    if file.suffix.lower() != ".csv":  # `orgs import` would refuse it as a damaged workbook
        raise UsageError(f"{file} would be a CSV file. Name one with .csv.")
    try:
        write_orgs(file, orgs)
    except FileExistsError:
        raise UsageError(
            f"{file} exists already. Name another file with --write-orgs, or delete this one."
        ) from None
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}. Name another file with --write-orgs."
        ) from None


def _greeting(orgs: Orgs) -> str:
    """Return what the command prints: the address, and how to sign in."""
    url = orgs.url
    if orgs.only is None:
        first = orgs.by_number[1].identity
        sign_in = first.client_id, first.client_secret, first.refresh_token
        orgs_line = f"It has {len(orgs)} orgs; this is the first:\n\n"
    else:
        sign_in, orgs_line = ("any", "any", "any"), ""
    client_id, client_secret, refresh_token = sign_in
    return (
        f"A stand-in for Zoho listens on {url}\n\n{orgs_line}"
        "zoho:\n"
        f"  api_url: {url}\n"
        f"  accounts_url: {url}\n"
        f"  client_id: {client_id}\n"
        f"  client_secret: {client_secret}\n"
        f"  refresh_token: {refresh_token}\n\n"
        "Stop it with Ctrl-C."
    )
