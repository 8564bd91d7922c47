"""The options of `batchlock simulate`, and the values that they become."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


class StandInOptions(NamedTuple):
    """The options that become the behaviour of the stand-in; None: not typed."""

    latency: str | None = None
    jitter: str | None = None
    edition: str | None = None
    users: int | None = None
    org_type: str | None = None
    org_id: str | None = None
    company_name: str | None = None
    time_zone: str | None = None
    unlisted: str | None = None
    in_flight_cap: str | None = None
    credits: str | None = None
    scopes: str | None = None
    api_host: str | None = None
    coql_locked: bool | None = None
    locked_view: bool | None = None
    composite: str | None = None
    composite_lost_after: int | None = None
    composite_lost_at: str | None = None
    token_lifetime: str | None = None
    retry_after: str | None = None
    throttle_at: str | None = None
    faults: tuple[str, ...] = ()
    fail_from: int | None = None
    fail_calls: int | None = None
    seed: int | None = None


class InventoryOptions(NamedTuple):
    """The options that become the records of the stand-in; None: not typed."""

    inventory: Path | None = None
    inventory_size: int | None = None


class OrgsOptions(NamedTuple):
    """How many orgs the stand-in has, and the file for their sign-ins; None: not typed."""

    orgs: int = 1
    write_orgs: Path | None = None


_OPTIONS = (
    click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 is any free port."),
    click.option(
        "--orgs",
        type=click.IntRange(1),
        default=1,
        metavar="N",
        help="How many orgs it has, at most 999. Org 17 of many has the client id client-017, the "
        "secret secret-017 and the refresh token refresh-017. One org takes every sign-in.",
    ),
    click.option(
        "--write-orgs",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.csv",
        help="Write a new file with the address and the sign-in of each org.",
    ),
    click.option("--latency", metavar="TIME", help="Until a call is answered, such as 150ms."),
    click.option("--jitter", metavar="TIME", help="How much the latency varies, up or down."),
    click.option(
        "--inventory",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="A JSON file with the records of the org.",
    ),
    click.option(
        "--inventory-size",
        type=click.IntRange(0),
        metavar="N",
        help="Generate N records in five modules; a third of them is locked.",
    ),
    click.option(
        "--edition", metavar="NAME", help="Such as free or enterprise; default: ultimate."
    ),
    click.option("--users", type=int, help="The users of the org, for its credits."),
    click.option("--org-type", metavar="TYPE", help="production, sandbox, developer or bigin."),
    click.option("--org-id", metavar="ID", help="The organization id (zgid)."),
    click.option("--company-name", metavar="NAME", help="The name of the org."),
    click.option("--time-zone", metavar="NAME", help="The time zone of the org."),
    click.option(
        "--unlisted",
        metavar="STATE",
        help="Records outside the inventory: locked, unlocked or either; default: locked.",
    ),
    click.option(
        "--in-flight-cap",
        metavar="N",
        help="Calls in flight at once; none: no cap; default: the cap of the edition.",
    ),
    click.option(
        "--credits",
        metavar="N",
        help="How many credits the org may spend; edition: those of a day; default: no limit.",
    ),
    click.option("--scopes", metavar="A,B", help="What a token may do; default: everything."),
    click.option("--api-host", metavar="NAME", help="Calls to another host get INVALID_HOST."),
    click.option(
        "--coql-locked/--no-coql-locked", default=None, help="Whether COQL knows Locked__s."
    ),
    click.option(
        "--locked-view/--no-locked-view", default=None, help="Whether locked records have a view."
    ),
    click.option(
        "--composite",
        metavar="MODE",
        help="What composite calls take: all, no_locks, no_post or mixed.",
    ),
    click.option(
        "--composite-lost-after",
        type=int,
        metavar="N",
        help="After N sub-requests of a composite call the connection closes.",
    ),
    click.option(
        "--composite-lost-at", metavar="N,N", help="To which composite calls, from 1; default: all."
    ),
    click.option("--token-lifetime", metavar="TIME", help="How long an access token is valid."),
    click.option("--retry-after", metavar="TIME", help="The wait that every 429 asks for."),
    click.option("--throttle-at", metavar="N,N", help="Which calls, from 1, are answered 429."),
    click.option(
        "--faults", multiple=True, metavar="FAULT=SHARE", help="Such as bad_gateway=0.05."
    ),
    click.option("--fail-from", type=int, help="From this PUT on, every call is answered 500."),
    click.option("--fail-calls", type=int, help="How many calls that outage lasts."),
    click.option("--seed", type=int, help="The same seed gives the same faults."),
)


def stand_in_options(function: _F) -> _F:
    """Add the options of `batchlock simulate` to a command."""
    return functools.reduce(lambda decorated, option: option(decorated), _OPTIONS[::-1], function)
