"""The application: what it is made of, its routes, and its background tasks."""

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Sequence

from aiohttp import web

from batchlock.config import Settings
from batchlock.core.options import RunOptions
from batchlock.store.store import Store
from batchlock.web import retention, security
from batchlock.web.auth.views import AuthViews
from batchlock.web.context import AppContext
from batchlock.web.error_pages import error_pages
from batchlock.web.locks.found import FoundLocks
from batchlock.web.locks.views import LockViews
from batchlock.web.queue import RunQueue
from batchlock.web.runs.actions import RunActions
from batchlock.web.runs.downloads import ResultDownloads
from batchlock.web.runs.events import LiveViews
from batchlock.web.runs.pages import RunPages
from batchlock.web.runs.undo import UndoPages
from batchlock.web.templating import OrgLabel, Templates, static
from batchlock.web.uploads.downloads import UploadDownloads
from batchlock.web.uploads.planner import UploadPlanner
from batchlock.web.uploads.views import UploadViews
from batchlock.zoho.connect import address
from batchlock.zoho.settings import SIMULATOR

# The largest form names four columns; files come by multipart, which this limit does not bound.
_MAX_FORM_BYTES = 64 * 1024
_RUN = "/runs/{run:[0-9a-f-]{1,40}}"


def create_app(
    settings: Settings,
    options: RunOptions,
    store: Store,
    *,
    host: str,
    on_link: Callable[[str], None],
) -> web.Application:
    """Return the application for one org; `on_link` receives the path of each sign-in link."""
    context = _context(settings, options, store)
    rules = security.SecurityRules(
        hosts=frozenset(
            name.lower() for name in ("localhost", "127.0.0.1", "::1", host, *settings.web.hosts)
        ),
        proxies=settings.web.trusted_proxy,
        session_seconds=settings.web.session,
        # Cookies ignore ports, so the pages of two orgs on one machine need different names.
        cookie=f"batchlock_{context.org}",
    )
    auth = AuthViews(store, context.templates, rules, org=context.org, local_user=_local_user(),
                     on_link=on_link)  # fmt: skip
    planner = UploadPlanner(context)
    app = web.Application(
        middlewares=[error_pages(context.templates), *security.middlewares(store, rules)],
        client_max_size=_MAX_FORM_BYTES,
    )
    app.on_response_prepare.append(security.add_headers)
    app.add_routes([web.get("/static/{name}", static)])
    app.add_routes(_auth_routes(auth))
    app.add_routes(_upload_routes(context, planner))
    app.add_routes(_run_routes(context))
    app.add_routes(_lock_routes(context, planner))

    async def background(_: web.Application) -> AsyncIterator[None]:
        planner.resume()
        await asyncio.to_thread(
            retention.remove_abandoned, store.uploads.parent_folder, store.uploads.ids()
        )
        tasks = [asyncio.create_task(context.queue.process_queue())]
        if (keep_seconds := settings.web.keep) is not None:
            removal = retention.remove_old(store, context.org, keep_seconds)
            tasks.append(asyncio.create_task(removal))
        auth.open_link()
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        context.queue.detach()
        await planner.cancel_all()

    app.cleanup_ctx.append(background)
    return app


def _context(settings: Settings, options: RunOptions, store: Store) -> AppContext:
    org = SIMULATOR if options.simulate else settings.org
    environment, api = address(settings.zoho, org)
    store.journals.prepare(org)
    command_options: Sequence[str] = ()
    if options.config is not None:
        command_options = ("--config", str(options.config.absolute()))
    data_center = "" if options.simulate else settings.zoho.data_center.upper()
    label = OrgLabel(name=org, environment=environment, api=api, data_center=data_center)
    return AppContext(
        org=org,
        settings=settings,
        options=options,
        store=store,
        templates=Templates(label),
        queue=RunQueue(store, org, command_options),
        command_options=command_options,
    )


def _auth_routes(auth: AuthViews) -> list[web.RouteDef]:
    return [
        # No HEAD: a link preview would use up the link.
        web.get("/enter/{link}", auth.enter, allow_head=False),
        web.get("/login", auth.show_login),
        web.post("/login", auth.sign_in),
        web.post("/logout", auth.sign_out),
    ]


def _upload_routes(context: AppContext, planner: UploadPlanner) -> list[web.RouteDef]:
    views, downloads = UploadViews(context, planner), UploadDownloads(context, planner)
    return [
        web.get("/template.xlsx", downloads.template),
        web.post("/files", views.receive),
        web.get("/files/{id}", views.show),
        web.get("/files/{id}/problems.xlsx", downloads.problems),
        web.post("/files/{id}/read", views.read_again),
        web.post("/files/{id}/start", views.start),
        web.post("/files/{id}/remove", views.remove),
    ]


def _run_routes(context: AppContext) -> list[web.RouteDef]:
    live, actions, downloads = LiveViews(context), RunActions(context), ResultDownloads(context)
    pages = RunPages(context, live)
    return [
        web.get("/", pages.home),
        web.get(_RUN, pages.show),
        web.get(_RUN + "/now", live.now),
        web.get(_RUN + "/events", live.events),
        web.get(_RUN + "/results.{format:xlsx|csv}", downloads.download),
        web.post(_RUN + "/pause", actions.pause),
        web.post(_RUN + "/stop", actions.stop),
        web.post(_RUN + "/go-on", actions.resume),
        web.post(_RUN + "/retry", actions.retry),
        web.get(_RUN + "/undo", UndoPages(context).show),
        web.post(_RUN + "/undo", actions.undo),
        web.get("/history", pages.history),
        web.get("/log", pages.log),
    ]


def _lock_routes(context: AppContext, planner: UploadPlanner) -> list[web.RouteDef]:
    views = LockViews(context)
    return [
        web.get("/locks", views.show),
        web.post("/locks", views.start),
        web.post(_RUN + "/use", FoundLocks(context, planner).use),
    ]


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user often has no entry in the system's list
        return "you"
