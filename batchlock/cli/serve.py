"""`batchlock serve`: the page, and who may sign in to it."""

import asyncio
import importlib.util
import re

import click

from batchlock.brake import Brake
from batchlock.cli.echo import echo
from batchlock.config import SIMULATOR, Settings
from batchlock.errors import UsageError
from batchlock.network import is_this_machine
from batchlock.run import Choices


def need_the_extra() -> None:
    """Raise UsageError where what the page needs is not installed."""
    if importlib.util.find_spec("jinja2") is None:
        raise UsageError(
            "The page needs a package more, jinja2. Install it beside batchlock: pip install jinja2"
        )


async def serve(
    settings: Settings, choices: Choices, *, host: str, port: int, brake: Brake
) -> None:
    """Serve the page until a signal comes."""
    from batchlock.web.app import serving

    over = asyncio.Event()
    brake.on_pull(over.set)

    def tells(link: str) -> None:
        echo(f"This link lets one person in, once:\n  {link}")

    async with serving(settings, choices, host=host, port=port, tells=tells) as url:
        org = SIMULATOR if choices.simulate else settings.org
        where = "a rehearsal" if choices.simulate else settings.zoho.environment
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
    from batchlock.web.people import SHORTEST, hashed
    from batchlock.web.store import Store

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
    from batchlock.web.store import Store

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
    from batchlock.web.store import Store

    store = Store(settings.state)
    try:
        for name in store.people():
            echo(name)
    finally:
        store.close()
