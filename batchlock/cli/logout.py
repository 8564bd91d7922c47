"""Sign out: `batchlock logout`."""

import os
from typing import TYPE_CHECKING

import click

from batchlock.cli.context import Context
from batchlock.cli.login import opened
from batchlock.cli.options import CommandOptions
from batchlock.cli.sign_in import has_terminal
from batchlock.cli.streams import echo, echo_error
from batchlock.config import Settings
from batchlock.core.cancel import until_cancelled
from batchlock.core.errors import BatchlockError, Stopped, UsageError
from batchlock.org_settings import settings_with_sign_in
from batchlock.sign_in_storage import ConfigPlace, config_change, config_place
from batchlock.sign_out import (
    LocalSecrets,
    local_secrets,
    remove_access_token,
    remove_secrets,
    revoke_at_zoho,
)
from batchlock.zoho.credentials import Credentials, load_credentials
from batchlock.zoho.datacenters import DATA_CENTERS
from batchlock.zoho.settings import Grant

if TYPE_CHECKING:
    from batchlock.store.store import Store


def logout(context: Context, options: CommandOptions, *, is_local: bool) -> int:
    """Revoke the sign-in of the settings, remove it here, and say what was done and what is left.

    Return 0, or 2 when something that a login made could not be removed. Raises UsageError when
    there is no sign-in or nobody agrees, Stopped when Zoho gives no answer, and Cancelled.
    """
    place = config_place(options.config, os.environ)
    with opened(options, place) as (settings, store):
        is_stored = store is not None and store.orgs.get(settings.org) is not None
        if store is not None:
            settings = settings_with_sign_in(settings, store)
        secrets = LocalSecrets() if is_stored else local_secrets(place, settings.org)
        credentials, problem = _credentials(settings)
        if credentials is None and not is_stored and not secrets.files and not secrets.settings:
            raise UsageError(
                f"{problem}\nThere is no sign-in of {settings.org} to remove. Name another org "
                "with --org, or another configuration with --config."
            )
        if not _confirm(context, options, settings, secrets, is_stored=is_stored, local=is_local):
            raise UsageError("Nothing was removed. Type the command again to sign out.")
        if credentials is not None and not is_local:
            echo(_revoke(context, settings, store, credentials))
        elif not is_local:
            echo(f"Nothing was revoked at Zoho, since the sign-in cannot be read. {problem}")
        failures = _remove(context, settings, store, credentials, secrets, is_stored=is_stored)
        failures += _clean_config(place, settings, secrets)
    echo(f"{settings.org} is signed out." if not failures else "Not everything was removed:")
    for line in failures:
        echo_error(line)
    for line in secrets.left:
        echo(f"This stays: {line}")
    if settings.zoho.grant is Grant.CLIENT_CREDENTIALS:
        console = DATA_CENTERS[settings.zoho.data_center].console_url
        echo(f"The client stays valid at Zoho until it is deleted at {console}.")
    return UsageError.exit_code if failures else 0


def _credentials(settings: Settings) -> tuple[Credentials | None, str]:
    """Return the sign-in, or None and why it cannot be read."""
    try:
        return load_credentials(settings.zoho, settings.network, settings.org), ""
    except UsageError as error:
        return None, str(error)


def _confirm(
    context: Context,
    options: CommandOptions,
    settings: Settings,
    secrets: LocalSecrets,
    *,
    is_stored: bool,
    local: bool,
) -> bool:
    """Show what goes, and ask. Raises UsageError when nobody can be asked."""
    echo(f"Signing out the org {settings.org}:")
    if not local:
        echo("   at Zoho: its token is revoked, with all access tokens from it")
    if is_stored:
        echo("   in the store: its secrets and its access token")
    for file in secrets.files:
        echo(f"   {file}")
    for entry in secrets.keyring_entries:
        echo(f"   the entry {entry} of the keyring")
    for path in secrets.settings:
        echo(f"   {'.'.join(path)} in the configuration")
    if options.yes:
        return True
    if not has_terminal():
        raise UsageError("Without a terminal nobody can be asked. Add --yes; nothing was removed.")
    with context.signals.interruptible():
        return click.confirm("Sign out?", default=False)


def _revoke(
    context: Context, settings: Settings, store: "Store | None", credentials: Credentials
) -> str:
    """Revoke the sign-in; return what Zoho has said. Raises Stopped: then nothing is removed."""
    signals = context.signals
    try:
        work = revoke_at_zoho(settings, store, credentials)
        was_valid = signals.run_async(until_cancelled(work, signals.cancel_token))
    except Stopped as error:
        raise Stopped(
            f"{error} Nothing was removed, and the sign-in may still be valid. Type the command "
            "again, or remove it on this machine only with --local."
        ) from None
    if was_valid:
        return "The token is revoked at Zoho."
    if credentials.grant is Grant.CLIENT_CREDENTIALS:
        return "There was no valid access token to revoke at Zoho."
    return "The token was not valid at Zoho any more."


def _remove(
    context: Context,
    settings: Settings,
    store: "Store | None",
    credentials: Credentials | None,
    secrets: LocalSecrets,
    *,
    is_stored: bool,
) -> list[str]:
    failures = []
    if credentials is not None:
        try:
            context.signals.run_async(remove_access_token(settings, store, credentials))
        except BatchlockError as error:
            failures.append(f"The access token, valid for an hour at most, is left. {error}")
    if store is not None and is_stored:
        store.orgs.remove_secrets(settings.org)
    return failures + remove_secrets(secrets)


def _clean_config(place: ConfigPlace, settings: Settings, secrets: LocalSecrets) -> list[str]:
    """Remove the settings that name what is gone; return why that failed."""
    if not secrets.settings:
        return []
    change = config_change(place, settings.org, dict.fromkeys(secrets.settings))
    if change is None:
        return []
    try:
        change.make()
    except UsageError as error:
        return [f"{error} Remove {', '.join('.'.join(path) for path in secrets.settings)} from it."]
    return []
