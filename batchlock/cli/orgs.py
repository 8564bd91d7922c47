"""What the commands of `batchlock orgs` do and print."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import SecretStr

from batchlock.cli.context import Context
from batchlock.cli.options import CommandOptions
from batchlock.cli.org_commands import AddOptions
from batchlock.cli.runner import load_settings
from batchlock.cli.sign_in import Way, obtain_sign_in
from batchlock.cli.streams import echo
from batchlock.config import Settings
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.core.org import OrgFacts
from batchlock.core.secret_source import read_secret
from batchlock.new_orgs import (
    NewOrg,
    grant_value,
    new_org,
    parse_setting,
    read_orgs,
    values_of_zoho,
)
from batchlock.new_sign_in import NewSignIn
from batchlock.org_settings import keys_for_new_secrets, put_orgs, unknown_org, with_org
from batchlock.org_sign_in import SignInCheck, check_sign_in, check_sign_ins, exit_code_of
from batchlock.report.json_orgs import orgs_json
from batchlock.store.store import Store
from batchlock.zoho.credentials import load_credentials
from batchlock.zoho.settings import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping


@contextmanager
def _opened(options: CommandOptions) -> Iterator[tuple[Settings, Store]]:
    settings = load_settings(options)
    with Store(settings.state, settings.database_url) as store:
        yield settings, store


def add(context: Context, options: CommandOptions, typed: AddOptions, name: str) -> int:
    """Add an org, or change it; prove before that its sign-in works."""
    with _opened(options) as (settings, store):
        stored = store.orgs.get(name)
        if stored is not None and not typed.update:
            raise UsageError(f"There is an org {name} already. Change it with --update.")
        if typed.keep_sign_in and stored is None:
            raise UsageError(f"There is no sign-in of {name} to keep. Leave --keep-sign-in out.")
        others = [org.name for org in store.orgs.all()]

        def checked(
            secrets: "Mapping[str, SecretStr]", more: "Mapping[tuple[str, ...], str]"
        ) -> NewOrg:
            return new_org(
                {**_typed_values(settings, typed, name), **more},
                secrets,
                stored=stored,
                others=others,
                source=lambda path: _option_of(path, name),
            )

        # A person types nothing in vain: settings and key are checked first.
        of_org = with_org(settings, checked({}, {}).org, {})
        keys = keys_for_new_secrets(settings, store)
        if typed.keep_sign_in:
            secrets, values = store.orgs.secrets(name, keys), {}
        else:
            sign_in = _sign_in(context, settings, of_org, typed)
            secrets, values = sign_in.secrets, grant_value(sign_in.grant) | dict(sign_in.values)
        new = checked(secrets, values)
        check = None
        if not typed.no_test:
            check = _check(context, with_org(settings, new.org, secrets), store)
        put_orgs(settings, store, [(new.org, new.secrets)])
    echo(f"{name} is {'added' if stored is None else 'changed'}.")
    if check is not None:
        echo(_line(check))
    return 0


def _check(context: Context, settings: Settings, store: Store) -> SignInCheck:
    signals = context.signals
    try:
        return signals.run_async(check_sign_in(settings, store, signals.cancel_token))
    except (SignInRefused, Stopped, UsageError) as error:
        kinds: tuple[type[BatchlockError], ...] = (SignInRefused, Stopped, UsageError)
        kind = next(one for one in kinds if isinstance(error, one))  # a subclass may need more
        raise kind(f"{error} Nothing was stored; --no-test stores it unasked.") from None


def _typed_values(settings: Settings, typed: AddOptions, name: str) -> dict[tuple[str, ...], str]:
    values = values_of_zoho(settings.zoho) if typed.from_config else {}
    values[("org",)] = name
    for field in ("data_center", "environment", "organization_id", "api_url", "accounts_url"):
        if (value := getattr(typed, field)) is not None:
            values["zoho", field] = value
    if typed.max_in_flight is not None:
        values["limits", "max_in_flight"] = typed.max_in_flight
    if typed.four_eyes is not None:
        values["web", "four_eyes"] = "yes" if typed.four_eyes else "no"
    return values | dict(map(parse_setting, typed.settings))


def _option_of(path: tuple[str, ...], name: str) -> str:
    if path == ("org",):
        return f"NAME {name}"
    if path[0] == "zoho" or path in (("limits", "max_in_flight"), ("web", "four_eyes")):
        return f"--{path[-1].replace('_', '-')}"
    return f"--set {'.'.join(path)}"


def _sign_in(
    context: Context, settings: Settings, of_org: Settings, typed: AddOptions
) -> NewSignIn:
    """Return the sign-in: of the configuration, of files, or as a person obtains it."""
    if typed.from_config:
        credentials = load_credentials(settings.zoho, settings.network, settings.org)
        return NewSignIn(
            grant=credentials.grant,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            refresh_token=credentials.refresh_token,
        )
    if typed.refresh_token_file is None and not typed.ask_token:
        secret = _of_file("client_secret", typed.client_secret_file)
        zoho = replace(of_org.zoho, client_id=typed.client_id, client_secret=secret)
        way = Way.CLIENT_CREDENTIALS if typed.client_credentials else Way.DEVICE
        return obtain_sign_in(
            context, replace(of_org, zoho=zoho), Way.SELF_CLIENT if typed.self_client else way
        )
    if typed.client_credentials or typed.self_client:
        raise UsageError(
            "--refresh-token-file and --ask-token are a sign-in that is there already. Leave "
            "--client-credentials and --self-client out."
        )
    with context.signals.interruptible():
        client_id = typed.client_id or click.prompt("Client id")
        return NewSignIn(
            grant=Grant.REFRESH_TOKEN,
            client_id=client_id.strip(),
            client_secret=_of_file("client_secret", typed.client_secret_file)
            or _typed_secret("Client secret"),
            refresh_token=_of_file("refresh_token", typed.refresh_token_file)
            or _typed_secret("Refresh token"),
        )


def _of_file(field: str, file: Path | None) -> SecretStr | None:
    text = read_secret(field, value=None, file=file, command=None)
    return None if text is None else SecretStr(text)


def _typed_secret(words: str) -> SecretStr:
    return SecretStr(click.prompt(f"{words} (not shown)", hide_input=True).strip())


def list_orgs(context: Context, options: CommandOptions) -> int:
    """Print the orgs, one a line."""
    with _opened(options) as (_, store):
        orgs = store.orgs.all()
    if context.as_json:
        echo(json.dumps(orgs_json(orgs)))
        return 0
    for org in orgs:
        parts = [f"{org.data_center} {org.environment}", _described(org.facts)]
        if org.grant == Grant.CLIENT_CREDENTIALS:
            parts.append("client credentials")
        if org.disabled:
            parts.append("disabled")
        echo(f"{org.name}: {', '.join(filter(None, parts))}")
    if not orgs:
        echo("There are no orgs yet. Add one with `batchlock orgs add NAME`.")
    return 0


def test(context: Context, options: CommandOptions, name: str | None) -> int:
    """Sign in to one org or to all, print a line for each, and return the exit code."""
    signals = context.signals
    with _opened(options) as (settings, store):
        if name is not None:
            _require(store, settings, name)
            names = [name]
        else:
            names = [org.name for org in store.orgs.all() if not org.disabled]
        checks = signals.run_async(check_sign_ins(settings, store, names, signals.cancel_token))
    for check in checks:
        echo(_line(check))
    if not checks:
        echo("There are no orgs to test. Add one with `batchlock orgs add NAME`.")
    if name is not None and checks[0].exit_code == UsageError.exit_code:
        return UsageError.exit_code
    return exit_code_of(checks)


def set_disabled(options: CommandOptions, name: str, *, disabled: bool) -> int:
    """Forbid or allow to send to an org."""
    with _opened(options) as (_, store):
        if not store.orgs.set_disabled(name, disabled=disabled):
            raise unknown_org(name, [org.name for org in store.orgs.all()])
    echo(f"{name} is disabled: nothing is sent to it." if disabled else f"{name} is enabled.")
    return 0


def remove(options: CommandOptions, name: str) -> int:
    """Remove an org from the store."""
    with _opened(options) as (_, store):
        if store.orgs.get(name) is None:
            raise unknown_org(name, [org.name for org in store.orgs.all()])
        unfinished = store.runs.all_unfinished(name)
        if unfinished and not options.yes:
            runs = f"{len(unfinished):,} unfinished run{'' if len(unfinished) == 1 else 's'}"
            raise UsageError(f"The org {name} has {runs}. End them first, or remove it with --yes.")
        store.orgs.remove(name)
    echo(f"{name} is removed, with its sign-in. Its runs stay.")
    return 0


def import_orgs(options: CommandOptions, file: Path, *, update: bool) -> int:
    """Add or change the orgs of a spreadsheet."""
    with _opened(options) as (settings, store):
        stored = store.orgs.all()
        orgs = read_orgs(file, stored, update=update)
        put_orgs(settings, store, [(one.org, one.secrets) for one in orgs])
    changed = len({org.name for org in stored} & {one.org.name for one in orgs})
    echo(
        f"{len(orgs) - changed:,} orgs were added, {changed:,} changed. "
        "`batchlock orgs test --all` shows whether their sign-ins work."
    )
    return 0


def reseal(options: CommandOptions) -> int:
    """Seal all secrets with the first key."""
    with _opened(options) as (settings, store):
        keys = keys_for_new_secrets(settings, store)
        count = store.orgs.reseal(keys)
    echo(f"{count:,} secrets are sealed with the key {keys.first_id}.")
    return 0


def _require(store: Store, settings: Settings, name: str) -> None:
    if name != settings.org and store.orgs.get(name) is None:
        raise unknown_org(name, [*(org.name for org in store.orgs.all()), settings.org])


def _line(check: SignInCheck) -> str:
    described = _described(check.facts) if check.facts is not None else "no sign-in"
    text = ". ".join(filter(None, [described, check.message.replace("\n", " ")]))
    return f"{check.org}: {text}"


def _described(facts: OrgFacts | None) -> str:
    """Return organization, edition, users and cap, as far as Zoho has said so."""
    if facts is None:
        return "not asked yet"
    parts = (
        facts.company_name,
        facts.edition,
        "" if facts.users is None else f"{facts.users:,} users",
        "" if facts.in_flight_cap is None else f"{facts.in_flight_cap} calls at once",
    )
    return ", ".join(filter(None, parts))
