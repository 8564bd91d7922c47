"""The application: what it is made of, its routes, and its background tasks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from batchlock.config import Settings
from batchlock.config.settings import WebSettings
from batchlock.core.options import RunOptions
from batchlock.store.store import Store
from batchlock.web import retention, security
from batchlock.web.addresses import known_hosts
from batchlock.web.auth.account import AccountViews
from batchlock.web.auth.expiry import end_old_sessions
from batchlock.web.auth.guard import PasswordGuard
from batchlock.web.auth.login_page import LoginForm
from batchlock.web.auth.views import AuthViews
from batchlock.web.dispatcher import Dispatcher
from batchlock.web.error_pages import error_pages
from batchlock.web.log.views import LogPages
from batchlock.web.observer import PageObserver, observed
from batchlock.web.oidc.client import oidc_client
from batchlock.web.oidc.views import OidcViews
from batchlock.web.routes import (
    auth_routes,
    health_routes,
    log_routes,
    oidc_routes,
    org_routes,
    overview_routes,
)
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.server_locks import ServerLocks
from batchlock.web.site import Site
from batchlock.web.translation import read_translations, translated

# The largest form names four columns; files come by multipart, which this limit does not bound.
_MAX_FORM_BYTES = 512 * 1024
# Another server may have been killed while it planned an upload.
_RESUME_SECONDS = 30.0
_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    options: RunOptions,
    store: Store,
    served_orgs: ServedOrgs,
    locks: ServerLocks | None,
    *,
    host: str,
    on_link: Callable[[str], None],
    observer: PageObserver,
) -> web.Application:
    """Return the application; `on_link` receives the path of each sign-in link.

    With `locks` this server starts the runs of people by itself; without, workers send them.
    """
    dispatcher = (
        None
        if locks is None
        else Dispatcher(store, served_orgs, locks, orgs_at_once=settings.web.orgs_at_once)
    )
    site = Site(options, store, served_orgs, dispatcher)
    main, passwords, oidc = served_orgs.main, settings.web.passwords, oidc_client(settings)
    rules = _security_rules(settings.web, host, main)
    guard = PasswordGuard(store, observer, org=main)
    form = LoginForm(store, site.templates, rules, passwords=passwords, oidc=oidc)
    auth = AuthViews(store, form, rules, org=main, on_link=on_link, observer=observer,
                     guard=guard)  # fmt: skip
    account = AccountViews(store, site.templates, rules, org=main, guard=guard, passwords=passwords)
    app = web.Application(
        middlewares=[
            translated(read_translations(settings.web.translations)),
            observed(observer),
            error_pages(site.templates),
            *security.middlewares(store, rules),
        ],
        client_max_size=_MAX_FORM_BYTES,
    )
    app.on_response_prepare.append(security.header_signal(rules))
    app.add_routes(auth_routes(auth, account))
    if oidc is not None:
        oidc_views = OidcViews(oidc, store, form, rules, org=main, observer=observer)
        app.add_routes(oidc_routes(oidc_views))
    app.add_routes(org_routes(site))
    app.add_routes(overview_routes(site))
    log_pages = LogPages(site, main_org=main, keep_seconds=settings.web.keep_log)
    app.add_routes(log_routes(log_pages))
    app.add_routes(health_routes(store))

    observer.follow(
        uploads_being_read=lambda: sum(pages.planner.upload_count for pages in site.opened())
    )

    async def background(_: web.Application) -> AsyncIterator[None]:
        await asyncio.to_thread(
            retention.remove_abandoned, store.uploads.parent_folder, store.uploads.ids()
        )
        tasks = _start_tasks(settings.web, site, rules, dispatcher)
        store.sessions.end_without_sign_in(passwords=passwords, issuer=settings.web.oidc.issuer)
        auth.open_link()
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if dispatcher is not None:
            dispatcher.detach()
        for pages in site.opened():
            await pages.planner.cancel_all()

    app.cleanup_ctx.append(background)
    return app


def _security_rules(web_settings: WebSettings, host: str, main_org: str) -> security.SecurityRules:
    return security.SecurityRules(
        hosts=known_hosts(host, tuple(web_settings.hosts)),
        proxies=web_settings.trusted_proxy,
        session_seconds=web_settings.session,
        session_limit_seconds=web_settings.session_limit,
        # Cookies ignore ports, so the pages of two servers on one machine need different names.
        cookie=f"batchlock_{main_org}",
    )


def _start_tasks(
    web_settings: WebSettings,
    site: Site,
    rules: security.SecurityRules,
    dispatcher: Dispatcher | None,
) -> list[asyncio.Task[None]]:
    """Start what runs beside the requests, until it is cancelled."""
    store, served_orgs = site.store, site.served_orgs
    work = [
        _resume_plans(site),
        retention.remove_old(
            store, served_orgs, web_settings.keep, keep_log_seconds=web_settings.keep_log
        ),
        end_old_sessions(store, rules, served_orgs.main),
    ]
    if dispatcher is not None:
        work.append(dispatcher.process_queues())
    return [asyncio.create_task(coroutine) for coroutine in work]


async def _resume_plans(site: Site) -> None:
    """Start the plans again that ended with their server; runs until cancelled."""
    while True:
        try:
            orgs = site.store.uploads.orgs_with_unread()
            for org in orgs.intersection(site.served_orgs.names()):
                site.pages(org).planner.resume()
        except Exception:
            _log.exception("resuming the plans of uploads")
        await asyncio.sleep(_RESUME_SECONDS)
