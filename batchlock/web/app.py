"""The application: what it is made of, its routes, and its background tasks."""

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from batchlock.config import Settings
from batchlock.core.options import RunOptions
from batchlock.store.store import Store
from batchlock.web import retention, security
from batchlock.web.auth.views import AuthViews
from batchlock.web.dispatcher import Dispatcher
from batchlock.web.error_pages import error_pages
from batchlock.web.routes import auth_routes, org_routes, overview_routes
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.server_locks import ServerLocks
from batchlock.web.site import Site

# The largest form names four columns; files come by multipart, which this limit does not bound.
_MAX_FORM_BYTES = 64 * 1024


def create_app(
    settings: Settings,
    options: RunOptions,
    store: Store,
    served_orgs: ServedOrgs,
    locks: ServerLocks,
    *,
    host: str,
    on_link: Callable[[str], None],
) -> web.Application:
    """Return the application; `on_link` receives the path of each sign-in link."""
    dispatcher = Dispatcher(store, served_orgs, locks)
    site = Site(options, store, served_orgs, dispatcher.queue)
    rules = security.SecurityRules(
        hosts=frozenset(
            name.lower() for name in ("localhost", "127.0.0.1", "::1", host, *settings.web.hosts)
        ),
        proxies=settings.web.trusted_proxy,
        session_seconds=settings.web.session,
        # Cookies ignore ports, so the pages of two servers on one machine need different names.
        cookie=f"batchlock_{served_orgs.main}",
    )
    auth = AuthViews(store, site.templates, rules, org=served_orgs.main, local_user=_local_user(),
                     on_link=on_link)  # fmt: skip
    app = web.Application(
        middlewares=[error_pages(site.templates), *security.middlewares(store, rules)],
        client_max_size=_MAX_FORM_BYTES,
    )
    app.on_response_prepare.append(security.add_headers)
    app.add_routes(auth_routes(auth))
    app.add_routes(org_routes(site))
    app.add_routes(overview_routes(site))

    async def background(_: web.Application) -> AsyncIterator[None]:
        for org in store.uploads.orgs_with_unread().intersection(served_orgs.names()):
            site.pages(org).planner.resume()
        await asyncio.to_thread(
            retention.remove_abandoned, store.uploads.parent_folder, store.uploads.ids()
        )
        tasks = [asyncio.create_task(dispatcher.process_queues())]
        if (keep_seconds := settings.web.keep) is not None:
            removal = retention.remove_old(store, served_orgs, keep_seconds)
            tasks.append(asyncio.create_task(removal))
        auth.open_link()
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        dispatcher.detach()
        for pages in site.opened():
            await pages.planner.cancel_all()

    app.cleanup_ctx.append(background)
    return app


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user often has no entry in the system's list
        return "you"
