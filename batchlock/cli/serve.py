"""Serve the web page, and change who may sign in to it: `batchlock serve`."""

import asyncio
import getpass
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from batchlock.cli.streams import echo
from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.zoho.network import is_this_machine

if TYPE_CHECKING:
    from batchlock.store.store import Store

# A name stands in log lines, in `--users` and in messages, one a line: it has no line breaks and
# no commas.
_USER_NAME = re.compile(r"[\w.@ -]{1,64}")
_NO_GRANTS = "No grant is left, so everybody who may sign in sees every org and may send to it."


def require_web_extra() -> None:
    """Raise UsageError when the packages of the web page are not installed."""
    packages = {"jinja2": "jinja2", "argon2": "argon2-cffi", "zxcvbn": "zxcvbn"}
    missing = [package for module, package in packages.items() if not find_spec(module)]
    if missing:
        raise UsageError(
            f"The page needs packages that are not installed: {', '.join(missing)}. Install them "
            f"beside batchlock: pip install {' '.join(missing)}"
        )


async def serve(
    settings: Settings, options: RunOptions, *, host: str, port: int, cancel_token: CancelToken
) -> None:
    """Serve the page until a signal arrives."""
    from batchlock.web.server import serving

    cancelled = asyncio.Event()
    cancel_token.add_callback(cancelled.set)

    def print_link(link: str) -> None:
        echo(f"This link lets one person in, once:\n  {link}")

    async with serving(settings, options, host=host, port=port, on_link=print_link) as page:
        if page.only is None:
            orgs = f"{page.org_count:,} orgs"
        else:
            environment = "a rehearsal" if options.simulate else page.only.environment
            orgs = f"{page.only.name} ({environment})"
        echo(f"The page for {orgs} is at {page.url}. Stop it with Ctrl-C.")
        if not is_this_machine(host):
            echo(
                "It speaks plain HTTP: put a server with TLS in front of it, and name that in "
                "web.trusted_proxy."
            )
        await cancelled.wait()
    echo("The page is closed. A run that is being sent continues.")


def add_user(settings: Settings, name: str) -> None:
    """Ask for a user's password, for a new user or a new password. Raises UsageError."""
    from batchlock.store.store import Store
    from batchlock.web.auth.passwords import hash_password
    from batchlock.web.auth.strength import weakness

    name = name.strip()
    if not _USER_NAME.fullmatch(name):
        raise UsageError(
            f'"{name}" is no name for a person who signs in. Use letters, digits, spaces, and '
            ". @ - _ only."
        )
    with Store(settings.state, settings.database_url) as store:
        if exists := (person := store.people.find(name)) is not None:
            name = person.name
        elif store.oidc_people.find(name) is not None:
            raise UsageError(
                f"{name} signs in with OpenID Connect, and cannot have a password. Use another "
                "name."
            )
        password = click.prompt(
            f"{'New password' if exists else 'Password'} for {name} (not shown)",
            hide_input=True,
            confirmation_prompt="The same again",
        )
        if reason := weakness(password, name):
            raise UsageError(f"{reason} Nothing was changed.")
        store.people.put(name, hash_password(password))
        action = "changed the password of" if exists else "added the user"
        _record(store, settings.org, action, name)
    echo(f"{name} {'has a new password' if exists else 'can sign in'}.")


def remove_user(settings: Settings, name: str) -> None:
    """Remove a user, whose open sessions end at once. Raises UsageError for an unknown name.

    A person who signs in with OpenID Connect is signed out only.
    """
    from batchlock.store.store import Store

    with Store(settings.state, settings.database_url) as store:
        if (oidc_person := store.oidc_people.find(name.strip())) is not None:
            store.oidc_people.sign_out(oidc_person.name)
            _record(store, settings.org, "signed out", oidc_person.name)
            echo(
                f"{oidc_person.name} is signed out. {oidc_person.issuer} decides who may sign in "
                "again: take the person out of the groups there."
            )
            return
        if (person := store.people.find(name.strip())) is None:
            people = ", ".join(store.people.names()) or "nobody"
            raise UsageError(f"There is no {name}. Who may sign in: {people}. Name one of them.")
        name = person.name
        store.people.remove(name)
        _record(store, settings.org, "removed the user", name)
        had_grants = store.grants.remove(name)
        is_open = had_grants and not store.grants.all()
    echo(f"{name} is signed out, and cannot sign in any longer.")
    if is_open:
        echo(_NO_GRANTS)


def list_users(settings: Settings) -> None:
    """Print who may sign in, one name a line, with the orgs that each may see."""
    from batchlock.store.store import Store

    with Store(settings.state, settings.database_url) as store:
        names, grants = store.people.names(), store.grants.all()
        oidc_people = store.oidc_people.all()
    for name in names:
        roles = [f"{one.org} {one.role}" for one in grants if one.person == name]
        # Without any grant everybody sees every org, and the list is what it was before.
        echo(f"{name}: {', '.join(roles) or 'no org'}" if grants else name)
    for one in oidc_people:
        roles = [f"{org} {role}" for org, role in sorted(one.roles.items())]
        # A subject may be any text; the name is safe.
        echo(f"{one.name} ({one.issuer}, {one.subject!r}): {', '.join(roles) or 'no org'}")


def grant(settings: Settings, text: str) -> None:
    """Let a person see an org, in a role. Raises UsageError."""
    from batchlock.store.grants import EVERY_ORG, Grant, Role
    from batchlock.store.store import Store

    person, org = _person_and_org("--grant", text)
    org, _, role = org.partition(":")
    if role and role not in set(Role):
        raise UsageError(
            f'--grant: "{role}" is no role. Name one of {", ".join(Role)}, or none for sender.'
        )
    with Store(settings.state, settings.database_url) as store:
        if (user := store.people.find(person)) is None:
            if store.oidc_people.find(person) is not None:
                raise UsageError(
                    f"{person} signs in with OpenID Connect, and has the roles of the groups "
                    "there. Change web.oidc.groups, or the groups of the person at the provider."
                )
            people = ", ".join(store.people.names()) or "nobody"
            raise UsageError(
                f"There is no {person}. Who may sign in: {people}. Add people with `batchlock "
                "serve --add-user NAME`."
            )
        person = user.name
        known = sorted({settings.org, *(each.name for each in store.orgs.all())})
        if org not in (EVERY_ORG, *known):
            raise UsageError(f"There is no org {org}. Name one of {', '.join(known)}, or *.")
        is_first = not store.grants.all()
        granted = Grant(person=person, org=org, role=Role(role or Role.SENDER))
        store.grants.put(granted)
        log_org = settings.org if org == EVERY_ORG else org
        _record(store, log_org, "granted", f"{person}={org}:{granted.role}")
    echo(f"{person} is {granted.role} of {'every org' if org == EVERY_ORG else org}.")
    if is_first:
        echo("From now on, people without a grant see no org.")


def revoke(settings: Settings, text: str) -> None:
    """Take the right to see an org from a person. Raises UsageError when there is none."""
    from batchlock.store.grants import EVERY_ORG
    from batchlock.store.store import Store

    person, org = _person_and_org("--revoke", text)
    with Store(settings.state, settings.database_url) as store:
        if (user := store.people.find(person)) is not None:
            person = user.name
        if not store.grants.remove(person, org):
            raise UsageError(
                f"{person} has no grant for {org}. `batchlock serve --users` lists the grants."
            )
        _record(store, settings.org if org == EVERY_ORG else org, "revoked", f"{person}={org}")
        is_open = not store.grants.all()
    echo(f"{person} has no grant for {org} any longer.")
    if is_open:
        echo(_NO_GRANTS)


def _record(store: "Store", org: str, action: str, subject: str) -> None:
    """Record in the audit log of an org what was done at a terminal."""
    try:
        account = getpass.getuser()
    except (OSError, KeyError):  # a container's user often has no entry in the system's list
        account = "an unknown account"
    store.audit_log.add(org, f"terminal ({account})", action, subject)


def _person_and_org(option: str, text: str) -> tuple[str, str]:
    person, equals, org = text.partition("=")
    if not equals or not person.strip() or not org.strip():
        raise UsageError(f'{option}: "{text}" is not NAME=ORG, such as Anna=acme.')
    return person.strip(), org.strip()
