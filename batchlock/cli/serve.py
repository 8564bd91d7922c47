"""Serve the web page, and change who may sign in to it: `batchlock serve`."""

import asyncio
import re
from importlib.util import find_spec

import click

from batchlock.cli.streams import echo
from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.zoho.network import is_this_machine
from batchlock.zoho.settings import SIMULATOR

# A name stands in log lines, in `--users` and in messages, one a line: it has no line breaks and
# no commas.
_USER_NAME = re.compile(r"[\w.@ -]{1,64}")


def require_web_extra() -> None:
    """Raise UsageError when the packages of the web page are not installed."""
    packages = {"jinja2": "jinja2", "argon2": "argon2-cffi"}
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

    async with serving(settings, options, host=host, port=port, on_link=print_link) as url:
        org = SIMULATOR if options.simulate else settings.org
        environment = "a rehearsal" if options.simulate else settings.zoho.environment
        echo(f"The page for {org} ({environment}) is at {url}. Stop it with Ctrl-C.")
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
    from batchlock.web.auth.passwords import MIN_LENGTH, hash_password

    name = name.strip()
    if not _USER_NAME.fullmatch(name):
        raise UsageError(
            f'"{name}" is no name for a person who signs in. Use letters, digits, spaces, and '
            ". @ - _ only."
        )
    with Store(settings.state, settings.database_url) as store:
        exists = name in store.people.names()
        password = click.prompt(
            f"{'New password' if exists else 'Password'} for {name} (not shown)",
            hide_input=True,
            confirmation_prompt="The same again",
        )
        if len(password) < MIN_LENGTH:
            raise UsageError(
                f"A password has at least {MIN_LENGTH} characters, and nothing was changed. "
                "Type a longer one."
            )
        store.people.put(name, hash_password(password))
    echo(f"{name} {'has a new password' if exists else 'can sign in'}.")


def remove_user(settings: Settings, name: str) -> None:
    """Remove a user, whose open sessions end at once. Raises UsageError for an unknown name."""
    from batchlock.store.store import Store

    with Store(settings.state, settings.database_url) as store:
        if not store.people.remove(name.strip()):
            people = ", ".join(store.people.names()) or "nobody"
            raise UsageError(f"There is no {name}. Who may sign in: {people}. Name one of them.")
    echo(f"{name} is signed out, and cannot sign in any longer.")


def list_users(settings: Settings) -> None:
    """Print who may sign in, one name a line."""
    from batchlock.store.store import Store

    with Store(settings.state, settings.database_url) as store:
        for name in store.people.names():
            echo(name)
