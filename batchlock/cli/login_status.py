"""Say how the sign-in of an org stands: `batchlock login --status`."""

import json
import os
from typing import TYPE_CHECKING, TypedDict

from batchlock.cli.context import Context
from batchlock.cli.login import opened
from batchlock.cli.options import CommandOptions
from batchlock.cli.sign_in_text import GRANT_WORDS, org_words, scope_words
from batchlock.cli.streams import echo
from batchlock.org_settings import settings_with_sign_in
from batchlock.sign_in_status import SignInStatus, sign_in_status
from batchlock.sign_in_storage import config_place

if TYPE_CHECKING:
    from collections.abc import Iterator


def print_status(context: Context, options: CommandOptions) -> int:
    """Try the sign-in of the settings, print how it stands, and return the exit code.

    Raises Cancelled, and UsageError for a configuration that cannot be read.
    """
    place = config_place(options.config, os.environ)
    signals = context.signals
    with opened(options, place) as (settings, store):
        if store is not None:
            settings = settings_with_sign_in(settings, store)
        status = signals.run_async(sign_in_status(settings, store, signals.cancel_token))
    echo(json.dumps(_json(status)) if context.as_json else "\n".join(_lines(status)))
    return status.exit_code


def _lines(status: SignInStatus) -> "Iterator[str]":
    works = "yes" if status.works else "no"
    yield f"{status.name}: {status.data_center}, {status.environment}"
    yield f"  works    {works}"
    yield f"  grant    {GRANT_WORDS[status.grant]}"
    if status.works:
        yield f"  org      {org_words(status)}"
        yield f"  user     {status.user or 'Zoho does not say'}"
    if status.is_pinned:
        yield "  pinned   yes: nothing is sent to another org (zoho.organization_id)"
    else:
        number = f" to {status.organization_id}" if status.organization_id else ""
        yield f"  pinned   no: set zoho.organization_id{number}, or sign in again"
    if status.granted_scopes is not None:
        yield f"  scopes   {', '.join(status.granted_scopes)}"
        missing = [use.scope for use in status.missing_scopes]
        yield f"  missing  {', '.join(missing) or 'none'}"
    elif status.works:
        yield "  scopes   Zoho does not say"
    if status.message:
        yield status.message
    yield from (scope_words(use) for use in status.missing_scopes)


class ScopeJson(TypedDict):
    """A scope that the sign-in lacks."""

    scope: str
    commands: list[str]
    effect: str


class StatusJson(TypedDict):
    """How a sign-in stands; null is what Zoho has not said, or what was not found out."""

    org: str | None
    works: bool
    exit_code: int
    message: str
    grant: str | None
    data_center: str | None
    environment: str | None
    user: str | None
    organization_id: str | None
    company_name: str | None
    org_type: str | None
    edition: str | None
    pinned: bool | None
    scopes: list[str] | None
    missing_scopes: list[ScopeJson]


def _json(status: SignInStatus) -> StatusJson:
    return StatusJson(
        org=status.name,
        works=status.works,
        exit_code=status.exit_code,
        message=status.message,
        grant=status.grant.value,
        data_center=status.data_center,
        environment=status.environment,
        user=status.user or None,
        organization_id=status.organization_id or None,
        company_name=status.company_name or None,
        org_type=status.org_type or None,
        edition=status.edition or None,
        pinned=status.is_pinned,
        scopes=None if status.granted_scopes is None else list(status.granted_scopes),
        missing_scopes=[
            ScopeJson(scope=use.scope, commands=list(use.commands), effect=use.effect)
            for use in status.missing_scopes
        ],
    )


def no_status_json(*, exit_code: int, message: str) -> StatusJson:
    """Return the object of a command that ended before anything was found out."""
    return StatusJson(
        org=None,
        works=False,
        exit_code=exit_code,
        message=message,
        grant=None,
        data_center=None,
        environment=None,
        user=None,
        organization_id=None,
        company_name=None,
        org_type=None,
        edition=None,
        pinned=None,
        scopes=None,
        missing_scopes=[],
    )
