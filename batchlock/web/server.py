"""The server: it opens the database, listens on an address, and serves the application."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from aiohttp import web

from batchlock.config import Settings
from batchlock.config.settings import WebSettings
from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.store.store import Store
from batchlock.web.addresses import url_of
from batchlock.web.app import create_app
from batchlock.web.connections import ConnectionLimits, OpenConnections
from batchlock.web.observer import PageObserver
from batchlock.web.protocol import connection_factory
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.server_locks import ServerLocks
from batchlock.web.templating import OrgLabel
from batchlock.zoho.network import is_this_machine

_log = logging.getLogger(__name__)

# Downloads take long, and browsers keep idle connections; after this time all are closed.
_SHUTDOWN_SECONDS = 3.0
# Connections that wait to be accepted; aiohttp's number.
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class ServedPage:
    """The page while it is served."""

    url: str
    org_count: int
    only: OrgLabel | None
    """The org when it is the only one."""
    metrics_port: int | None
    """The port of `web.metrics_listen`; None without that setting."""


@asynccontextmanager
async def serving(
    settings: Settings, options: RunOptions, *, host: str, port: int, on_link: Callable[[str], None]
) -> AsyncIterator[ServedPage]:
    """Serve the page while the block runs, which receives its address and orgs.

    `on_link` receives every link by which somebody can sign in. Raises UsageError if an address is
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
        _require_sign_in(settings.web, host, served_orgs, store)
        async with _observing(settings.web.metrics_listen, store) as (observer, metrics_port):
            listening = _listen(host, port)
            url = url_of(host, listening.getsockname()[1])
            app = create_app(
                settings,
                options,
                store,
                served_orgs,
                locks,
                host=host,
                on_link=lambda path: on_link(url + path),
                observer=observer,
            )
            # Cancelled handlers: a download ends its child process when the browser leaves.
            runner = web.AppRunner(
                app, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
            )
            await runner.setup()
            assert runner.server is not None
            loop = asyncio.get_running_loop()
            connections = OpenConnections(ConnectionLimits.of(settings.web))
            listener = await loop.create_server(
                connection_factory(runner.server, loop, connections),
                sock=listening,
                backlog=_BACKLOG,
            )
            try:
                names, only = served_orgs.names(), served_orgs.only()
                label = None if only is None else served_orgs.label(only)
                yield ServedPage(url, len(names), label, metrics_port)
            finally:
                listener.close()
                await runner.cleanup()
    finally:
        if locks is not None:
            locks.release()
        store.close()


def _require_sign_in(
    web_settings: WebSettings, host: str, served_orgs: ServedOrgs, store: Store
) -> None:
    """Raise UsageError if nobody could sign in, or if others could reach the page without that.

    Also warn of people whose names differ only in case.
    """
    has_provider = web_settings.oidc.issuer is not None
    if not web_settings.passwords and not has_provider:
        raise UsageError(
            "web.passwords is off, and web.oidc.issuer is not set, so nobody could sign in. "
            "Set one of them."
        )
    if not is_this_machine(host) and not has_provider and not store.people.names():
        raise UsageError(
            f"On {host} others could reach the page, so people must sign in. Add the first "
            "with `batchlock serve --add-user NAME`."
        )
    for same_names in store.people.same_but_for_case():
        _log.warning(
            "%s are %d people whose names differ only in case: each signs in with exactly this "
            "name. Remove the others with `batchlock serve --remove-user NAME`.",
            " and ".join(same_names), len(same_names),
        )  # fmt: skip
    if not has_provider:
        _require_people_for_four_eyes(served_orgs, store)


@asynccontextmanager
async def _observing(
    listen: str | None, store: Store
) -> AsyncIterator[tuple[PageObserver, int | None]]:
    """Yield who counts, and the port that answers with the figures during the block.

    Raises UsageError if the address is not available, or a package is missing.
    """
    if listen is None:
        yield PageObserver(), None
        return
    if find_spec("prometheus_client") is None:
        raise UsageError(
            "web.metrics_listen needs the package prometheus-client, which is not installed. "
            "Install it beside batchlock: pip install prometheus-client"
        )
    from batchlock.fleet.health import health_server
    from batchlock.web.metrics import PageMetrics

    metrics = PageMetrics(store)
    setting = "web.metrics_listen"
    async with health_server(listen, metrics.text, store.schema_problem, setting=setting) as port:
        yield metrics, port


def _require_people_for_four_eyes(served_orgs: ServedOrgs, store: Store) -> None:
    """Raise UsageError when an org needs two people, and nobody has a name to sign in with."""
    if store.people.names():
        return
    for org in served_orgs.names():
        if served_orgs.settings_of(org).web.four_eyes:
            raise UsageError(
                f"The org {org} has web.four_eyes, so two persons must take part in each start, "
                "and whoever comes by a link has no name. Add people with `batchlock serve "
                "--add-user NAME`, set up web.oidc, or switch the setting off."
            )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise UsageError(
            f"The page cannot be served on {host}, port {port}: {error.strerror or error}. Name "
            "another with --host and --port."
        ) from None
