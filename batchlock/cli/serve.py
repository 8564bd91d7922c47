"""`batchlock serve`: the page, and who may sign in to it."""

import asyncio
import importlib.util
import re

import click

from batchlock.cli.streams import echo
from batchlock.config import SIMULATOR, Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UsageError
from batchlock.run import RunOptions
from batchlock.zoho.network import is_this_machine


def need_the_extra() -> None:
    """Raise UsageError where what the page needs is not installed."""
    if importlib.util.find_spec("jinja2") is None:
        raise UsageError(
            "The page needs a package more, jinja2. Install it beside batchlock: pip install jinja2"
        )


async def serve(
    settings: Settings, options: RunOptions, *, host: str, port: int, cancel_token: CancelToken
) -> None:
    """Serve the page until a signal comes."""
    from batchlock.web.app import serving

    over = asyncio.Event()
    cancel_token.add_callback(over.set)

    def tells(link: str) -> None:
        echo(f"This link lets one person in, once:\n  {link}")

    async with serving(settings, options, host=host, port=port, tells=tells) as url:
        org = SIMULATOR if options.simulate else settings.org
        where = "a rehearsal" if options.simulate else settings.zoho.environment
        echo(f"The page for {org} ({where}) is at {url}. Stop it with Ctrl-C.")
        if not is_this_machine(host):
            echo(
                "It speaks plain HTTP: put a server with TLS in front of it, and name that in "
                "web.trusted_proxy."
            )
        await over.wait()
    echo("The page is closed. A run that is at work goes on by itself.")


def add_user(settings: Settings, name: str) -> None:
    """Ask for a person's password, for the first time or to change it."""
    from batchlock.store.page import Store
    from batchlock.web.auth.passwords import SHORTEST, hashed

    name = name.strip()
    if not re.fullmatch(r"[\w.@ -]{1,64}", name):
        raise UsageError(f'"{name}" is no name: letters, digits, spaces, and . @ - _ only.')
    store = Store(settings.state)
    try:
        known = name in store.people()
        password = click.prompt(
            f"{'New password' if known else 'Password'} for {name} (not shown)",
            hide_input=True,
            confirmation_prompt="The same again",
        )
        if len(password) < SHORTEST:
            raise UsageError(f"A password has at least {SHORTEST} characters. Nothing was changed.")
        store.put_person(name, hashed(password))
    finally:
        store.close()
    echo(f"{name} {'has a new password' if known else 'can sign in'}.")


def remove_user(settings: Settings, name: str) -> None:
    """Let a person in no longer, from this moment on."""
    from batchlock.store.page import Store

    store = Store(settings.state)
    try:
        if not store.remove_person(name.strip()):
            people = ", ".join(store.people()) or "nobody"
            raise UsageError(f"There is no {name}. Who may sign in: {people}.")
    finally:
        store.close()
    echo(f"{name} is signed out, and cannot sign in any longer.")


def users(settings: Settings) -> None:
    """List who may sign in."""
    from batchlock.store.page import Store

    store = Store(settings.state)
    try:
        for name in store.people():
            echo(name)
    finally:
        store.close()
