"""The server: it opens the database, listens on an address, and serves the application."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.store.store import Store
from batchlock.web.app import create_app
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.server_locks import ServerLocks
from batchlock.web.templating import OrgLabel
from batchlock.zoho.network import is_this_machine

# Live pages keep a connection open for ever; after this time the server closes them.
_SHUTDOWN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ServedPage:
    """The page while it is served."""

    url: str
    org_count: int
    only: OrgLabel | None
    """The org when it is the only one."""


@asynccontextmanager
async def serving(
    settings: Settings, options: RunOptions, *, host: str, port: int, on_link: Callable[[str], None]
) -> AsyncIterator[ServedPage]:
    """Serve the page while the block runs, which receives its address and orgs.

    `on_link` receives every link by which somebody can sign in. Raises UsageError if the address is
    not available, if another process serves the page of this org, or if the page could be reached
    from other machines without a password.
    """
    store = Store(settings.state, settings.database_url)
    # In a database the workers start the runs, so any number of servers may serve an org.
    locks = None if store.is_shared else ServerLocks(settings.state)
    served_orgs = ServedOrgs(settings, options, store)
    try:
        for org in served_orgs.names():
            if locks is not None and not locks.take(org):
                raise UsageError(f"The page of {org} is served already, by another process.")
        if not is_this_machine(host) and not store.people.names():
            raise UsageError(
                f"On {host} others could reach the page, so people must sign in. Add the first "
                "with `batchlock serve --add-user NAME`."
            )
        listening = _listen(host, port)
        url_host = f"[{host}]" if ":" in host else host  # IPv6
        url = f"http://{url_host}:{listening.getsockname()[1]}"
        app = create_app(
            settings,
            options,
            store,
            served_orgs,
            locks,
            host=host,
            on_link=lambda path: on_link(url + path),
        )
        # Cancelled handlers: a download ends its child process when the browser leaves.
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            names, only = served_orgs.names(), served_orgs.only()
            yield ServedPage(url, len(names), None if only is None else served_orgs.label(only))
        finally:
            await runner.cleanup()
    finally:
        if locks is not None:
            locks.release()
        store.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise UsageError(
            f"The page cannot be served on {host}, port {port}: {error.strerror or error}. Name "
            "another with --host and --port."
        ) from None
