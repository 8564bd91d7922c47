"""Sign in to an org, so that every other command works: `batchlock login`.

obtain a sign-in ─▶ prove it by one call that changes nothing ─▶ store it ─▶ name it in the config
"""

import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchlock.cli.context import Context
from batchlock.cli.options import CommandOptions
from batchlock.cli.runner import open_settings
from batchlock.cli.sign_in import (
    Way,
    accounts_session,
    has_terminal,
    oauth_client,
    obtain_sign_in,
    sign_in_of_file,
)
from batchlock.cli.sign_in_commands import LoginOptions
from batchlock.cli.sign_in_text import identity_words, scope_warnings
from batchlock.cli.streams import echo, echo_error
from batchlock.config import Settings, replaced
from batchlock.core.cancel import until_cancelled
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.new_orgs import grant_value, new_org
from batchlock.new_sign_in import NewSignIn
from batchlock.org_settings import keys_for_new_secrets, put_orgs
from batchlock.sign_in_status import SignInStatus, sign_in_status
from batchlock.sign_in_storage import (
    ConfigChange,
    ConfigPlace,
    config_change,
    config_place,
    replaces_secrets,
    require_place,
    secret_settings,
    store_secrets,
)
from batchlock.zoho.datacenters import DATA_CENTERS
from batchlock.zoho.settings import Grant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchlock.core.org import StoredOrg
    from batchlock.store.store import Store

_DATA_CENTER = ("zoho", "data_center")
_ENVIRONMENT = ("zoho", "environment")
_ORGANIZATION_ID = ("zoho", "organization_id")
_GRANT = ("zoho", "grant")
# An access token of this age was requested with the secrets that were just obtained.
_NEW_SECONDS = 5.0
# A person waits for the revocation of a token that is not stored.
_REVOKE_SECONDS = 15.0


def login(context: Context, options: CommandOptions, typed: LoginOptions) -> int:
    """Obtain a sign-in, prove it, store it, and say what was done.

    Raises SignInRefused when Zoho refuses it, UsageError when it belongs to another org than the
    settings say or cannot be stored, Stopped when Zoho gives no answer, and Cancelled.
    """
    if sum((typed.client_credentials, typed.self_client, typed.file is not None)) > 1:
        raise UsageError("Choose one of --client-credentials, --self-client and --from.")
    place = config_place(options.config, os.environ)
    with opened(options, place) as (settings, store):
        settings = replaced(
            settings, typed.values, source=lambda path: f"--{path[-1].replace('_', '-')}"
        )
        stored = None if store is None else store.orgs.get(settings.org)
        if store is not None and stored is not None:
            if typed.keyring:
                raise UsageError(
                    f"The sign-in of {settings.org} is kept in the store. Leave --keyring out."
                )
            keys_for_new_secrets(settings, store)  # a person types nothing in vain
        else:
            require_place(place, settings.org, with_files=not typed.keyring, more=typed.values)
            settings = _ask_data_center(context, settings, typed, place)
        sign_in = _obtain(context, settings, typed, place)
        status, pinned = _prove(context, settings, sign_in)
        if store is not None and stored is not None:
            _store_in_org(settings, store, stored, pinned)
            stored_at = f"The sign-in of {settings.org} is in the store."
        else:
            stored_at = _store(context, options, typed, settings, place, pinned)
    echo(stored_at)
    if not status.works:
        raise Stopped(
            f"{status.message} The sign-in is stored, and was not tried. Try it with "
            "`batchlock login --status`."
        )
    return 0


@contextmanager
def opened(
    options: CommandOptions, place: ConfigPlace
) -> "Iterator[tuple[Settings, Store | None]]":
    """Yield the settings, and the store with --org; a configuration may be missing."""
    if not place.exists and place.is_named:
        options = options._replace(config=Path(os.devnull))
    with open_settings(options, to_send=False) as (settings, store):
        yield settings, store


def _ask_data_center(
    context: Context, settings: Settings, typed: LoginOptions, place: ConfigPlace
) -> Settings:
    """Return settings with the data centre that a person names, if nothing else names it."""
    is_known = any(
        (
            typed.data_center is not None,
            typed.file is not None,
            place.has(_DATA_CENTER),
            place.has(("zoho", "accounts_url")),
            not has_terminal(),
        )
    )
    if is_known:
        return settings
    with context.signals.interruptible():
        data_center = click.prompt(
            f"Data centre, as in the address of your CRM ({', '.join(DATA_CENTERS)})",
            type=click.Choice(list(DATA_CENTERS), case_sensitive=False),
            default="us",
            show_choices=False,
        )
    return replaced(settings, {_DATA_CENTER: data_center}, source=".".join)


def _obtain(
    context: Context, settings: Settings, typed: LoginOptions, place: ConfigPlace
) -> NewSignIn:
    """Return the sign-in, with the settings that belong to it."""
    if typed.file is None:
        sign_in = obtain_sign_in(context, settings, _way(typed), ask_client=typed.ask)
    else:
        fixed = frozenset((*typed.values, *place.variables))
        sign_in = sign_in_of_file(typed.file, fixed=fixed)
    values = {
        _DATA_CENTER: settings.zoho.data_center,
        _ENVIRONMENT: settings.zoho.environment,
        **typed.values,
        **sign_in.values,
    }
    return replace(sign_in, values=values)


def _way(typed: LoginOptions) -> Way:
    if typed.client_credentials:
        return Way.CLIENT_CREDENTIALS
    return Way.SELF_CLIENT if typed.self_client else Way.DEVICE


def _prove(
    context: Context, settings: Settings, sign_in: NewSignIn
) -> tuple[SignInStatus, NewSignIn]:
    """Try the sign-in; return what that has shown, and the sign-in with the number of its org.

    A sign-in that cannot be obtained again is returned also when Zoho gives no answer for now.
    Raises what makes it useless, after revoking a token that nobody else has.
    """
    trial = sign_in.applied_to(settings)
    signals = context.signals
    status = signals.run_async(
        sign_in_status(
            trial, None, signals.cancel_token, is_trial=True, max_age_seconds=_NEW_SECONDS
        )
    )
    is_away = status.exit_code == Stopped.exit_code
    if status.exit_code and not (is_away and sign_in.is_token_new):
        revoked = _revoke_new_token(context, trial, sign_in)
        kinds: dict[int, type[BatchlockError]] = {2: UsageError, 5: SignInRefused}
        kind = kinds.get(status.exit_code, Stopped)
        raise kind(f"{status.message} Nothing was stored.{revoked}")
    if status.works:
        echo(f"\nSigned in: {identity_words(status)}.")
        for line in scope_warnings(status):
            echo_error(line)
    if not status.organization_id or settings.zoho.organization_id is not None:
        return status, sign_in
    values = {**sign_in.values, _ORGANIZATION_ID: status.organization_id}
    return status, replace(sign_in, values=values)


def _revoke_new_token(context: Context, settings: Settings, sign_in: NewSignIn) -> str:
    """Revoke a token that is not stored and that nobody else has; return what to say about it."""
    if not sign_in.is_token_new:
        return ""
    from batchlock.zoho.revocation import revoke

    client = oauth_client(settings, sign_in.client_id, sign_in.client_secret)

    async def work() -> bool:
        async with accounts_session(settings) as calls:
            return await revoke(
                sign_in.refresh_token, client, session=calls, timeout_seconds=_REVOKE_SECONDS
            )

    signals = context.signals
    try:
        signals.run_async(until_cancelled(work(), signals.cancel_token))
    except BatchlockError:
        return " Its token could not be revoked; Zoho lists it under Connected Apps."
    return ""


def _store_in_org(
    settings: Settings, store: "Store", stored: "StoredOrg", sign_in: NewSignIn
) -> None:
    """Seal the sign-in in the store, with the settings that belong to it."""
    new = new_org(
        {**sign_in.values, ("org",): stored.name, **grant_value(sign_in.grant)},
        sign_in.secrets,
        stored=stored,
        others=[org.name for org in store.orgs.all()],
        source=".".join,
    )
    put_orgs(settings, store, [(new.org, new.secrets)])


def _store(
    context: Context,
    options: CommandOptions,
    typed: LoginOptions,
    settings: Settings,
    place: ConfigPlace,
    sign_in: NewSignIn,
) -> str:
    """Store the secrets, change the configuration if a person agrees; return what was done.

    Raises UsageError when nothing was stored, after revoking a token that nobody else has.
    """
    values = secret_settings(place, settings.org, sign_in, to_keyring=typed.keyring)
    for path, value in sign_in.values.items():
        # The default needs no line in a configuration that has none for it.
        is_default = path == _ENVIRONMENT and place.exists and value == Settings().zoho.environment
        if path not in place.variables and (path in place.entries or not is_default):
            values[path] = value
    if sign_in.grant is Grant.CLIENT_CREDENTIALS or place.has(_GRANT):
        values[_GRANT] = sign_in.grant.value
    change = config_change(place, settings.org, values)
    is_agreed = change is not None and (
        not place.exists or (change.text is not None and _confirm(context, change, yes=options.yes))
    )
    try:
        if change is not None and not is_agreed:
            _refuse_to_replace(place, change, values)
        store_secrets(
            place,
            settings.org,
            sign_in,
            to_keyring=typed.keyring,
            change=change if is_agreed else None,
        )
    except UsageError as error:
        trial = sign_in.applied_to(settings)
        revoked = _revoke_new_token(context, trial, sign_in)
        raise UsageError(f"{error} Nothing was stored.{revoked}") from None
    secrets = _secrets_sentence(place, sign_in, in_keyring=typed.keyring)
    if change is None:
        return f"{secrets} The configuration {place.file} has it all already."
    name = f" --config {options.config}" if options.config is not None else ""
    if is_agreed:
        done = "changed" if place.exists else "written"
        return (
            f"The configuration {place.file} was {done}. {secrets}\nNext: batchlock run FILE{name}"
        )
    removed = [".".join(path) for path, value in change.values.items() if value is None]
    remove = f"\nRemove from it: {', '.join(removed)}." if removed else ""
    lines = f"{secrets} Put these lines into {place.file}:\n\n{change.yaml}{remove}"
    if change.text is None:
        echo(lines)
        change.make()  # raises why it cannot be changed
    return lines


def _secrets_sentence(place: ConfigPlace, sign_in: NewSignIn, *, in_keyring: bool) -> str:
    """Return where the secrets of a stored sign-in are."""
    where = "the keyring of the system" if in_keyring else f"files in {place.folder}"
    stored = f"The secrets are in {where}, which only you can read."
    if not sign_in.has_client_of_settings:
        return stored
    in_environment = any(path[-1].startswith("client_") for path in place.variables)
    stay = "in the environment, where every command needs them" if in_environment else "as set"
    unchanged = f"Client id and secret stay {stay}."
    is_client_alone = sign_in.grant is Grant.CLIENT_CREDENTIALS
    return unchanged if is_client_alone else f"{stored} {unchanged}"


def _refuse_to_replace(
    place: ConfigPlace, change: ConfigChange, values: "Mapping[tuple[str, ...], str | None]"
) -> None:
    """Raise UsageError when secrets are stored in the place of those that a configuration names.

    With the client or the org of the sign-in before, they would end it.
    """
    if set(change.values) - {_ORGANIZATION_ID} and replaces_secrets(place, values):
        raise UsageError(
            f"{place.file} was not changed, and the sign-in that it names stays as it is. To "
            "replace it, make the file writable, and agree to the change or add --yes."
        )


def _confirm(context: Context, change: ConfigChange, *, yes: bool) -> bool:
    echo(f"\nThe sign-in changes {change.place.file}:")
    for line in change.lines:
        echo(f"   {line}")
    if yes:
        return True
    if not has_terminal():
        return False
    with context.signals.interruptible():
        return click.confirm("Change the file?", default=True)
