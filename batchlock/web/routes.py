"""The routes: below /orgs/<org> those of one org, beside them those of all orgs.

A request about an org passes `Site.enter` first, which checks that the person has the right that
the route needs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from batchlock.store.grants import Right
from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.auth.account import AccountViews
from batchlock.web.auth.views import AuthViews
from batchlock.web.health import HealthChecks
from batchlock.web.log.views import LogPages
from batchlock.web.oidc.views import OidcViews
from batchlock.web.org_pages import OrgPages
from batchlock.web.overview.views import OverviewPages
from batchlock.web.security import Handler
from batchlock.web.site import Site
from batchlock.web.templating import home_of, static

_ORG = "/orgs/{org}"
_RUN = "/runs/{run:[0-9a-f-]{1,40}}"
_APPROVAL = "/approvals/{approval:[0-9a-f]{1,40}}"


@dataclass(frozen=True, slots=True)
class OrgRoute:
    """A route of one org."""

    method: str
    path: str
    """Below the path of the org."""
    handler: Callable[[OrgPages], Handler]
    """Selects the handler among those of the org."""
    right: Right
    """The right that a person needs."""


def _see(path: str, handler: Callable[[OrgPages], Handler]) -> OrgRoute:
    return OrgRoute("GET", path, handler, Right.SEE)


def _prepare(path: str, handler: Callable[[OrgPages], Handler]) -> OrgRoute:
    return OrgRoute("POST", path, handler, Right.PREPARE)


def _send(path: str, handler: Callable[[OrgPages], Handler]) -> OrgRoute:
    return OrgRoute("POST", path, handler, Right.SEND)


def _administer(path: str, handler: Callable[[OrgPages], Handler]) -> OrgRoute:
    return OrgRoute("POST", path, handler, Right.ADMINISTER)


ORG_ROUTES = (
    _see("", lambda pages: pages.runs.home),
    _see("/template.xlsx", lambda pages: pages.workbooks.template),
    _prepare("/files", lambda pages: pages.uploads.receive),
    _see("/files/{id}", lambda pages: pages.uploads.show),
    _see("/files/{id}/problems.xlsx", lambda pages: pages.workbooks.problems),
    _prepare("/files/{id}/read", lambda pages: pages.uploads.read_again),
    _see("/files/{id}/correct", lambda pages: pages.corrections.show),
    _prepare("/files/{id}/correct", lambda pages: pages.corrections.save),
    _see("/files/{id}/approval", lambda pages: pages.approvals.now),
    _see("/files/{id}/options", lambda pages: pages.options.of_upload),
    _prepare("/files/{id}/ask", lambda pages: pages.approvals.ask_for_upload),
    _send("/files/{id}/start", lambda pages: pages.uploads.start),
    _prepare("/files/{id}/remove", lambda pages: pages.uploads.remove),
    _prepare("/unreadable/remove", lambda pages: pages.uploads.remove_unreadable),
    _see("/choices", lambda pages: pages.choices.show),
    _prepare("/choices/remove", lambda pages: pages.choices.remove),
    _prepare("/choices/agree", lambda pages: pages.choices.agree),
    _see(_RUN, lambda pages: pages.runs.show),
    _see(_RUN + "/now", lambda pages: pages.live.now),
    _see(_RUN + "/results.{format:xlsx|csv}", lambda pages: pages.results.download),
    _send(_RUN + "/pause", lambda pages: pages.actions.pause),
    _send(_RUN + "/stop", lambda pages: pages.actions.stop),
    _send(_RUN + "/go-on", lambda pages: pages.actions.resume),
    _see(_RUN + "/options", lambda pages: pages.options.of_run),
    _send(_RUN + "/note", lambda pages: pages.actions.set_note),
    _administer(_RUN + "/move", lambda pages: pages.actions.move),
    _send(_RUN + "/retry", lambda pages: pages.actions.retry),
    _see(_RUN + "/undo", lambda pages: pages.undo.show),
    _send(_RUN + "/undo", lambda pages: pages.actions.undo),
    _prepare(_RUN + "/ask", lambda pages: pages.approvals.ask_for_run),
    _prepare(_RUN + "/use", lambda pages: pages.found.use),
    _see("/approvals", lambda pages: pages.approvals.show),
    _send(_APPROVAL + "/return", lambda pages: pages.approvals.send_back),
    _prepare(_APPROVAL + "/withdraw", lambda pages: pages.approvals.take_back),
    _see("/locks", lambda pages: pages.locks.show),
    _send("/locks", lambda pages: pages.locks.start),
    _see("/connection", lambda pages: pages.connection.show),
    _administer("/connection/begin", lambda pages: pages.connection.begin),
    _administer("/connection/ask", lambda pages: pages.connection.ask),
    _administer("/connection/use", lambda pages: pages.connection.confirm),
    _administer("/connection/cancel", lambda pages: pages.connection.cancel),
    _send("/connection/check", lambda pages: pages.connection.check),
    _see("/history", lambda pages: pages.runs.history),
)

# Addresses of 0.2.0, when a server had one org; people have them in bookmarks and in mails.
_OLD_PATHS = ("/history", "/locks", "/template.xlsx", "/files/{id}", "/runs/{run}",
              "/runs/{run}/undo")  # fmt: skip


def auth_routes(auth: AuthViews, account: AccountViews) -> list[web.RouteDef]:
    """Return the routes for sign-in, sign-out and the own account, and of the static files."""
    return [
        web.get("/static/{name}", static),
        # No HEAD: a link preview would use up the link.
        web.get("/enter/{link}", auth.enter, allow_head=False),
        web.get("/login", auth.show_login),
        web.post("/login", auth.sign_in),
        web.post("/logout", auth.sign_out),
        web.get("/account", account.show),
        web.get("/account/active", account.note_activity),
        web.post("/account/end", account.end_session),
        web.post("/account/end-others", account.end_others),
        web.post("/account/strength", account.strength),
        web.post("/account/password", account.change_password),
    ]


def oidc_routes(views: OidcViews) -> list[web.RouteDef]:
    """Return the routes for the sign-in with OpenID Connect."""
    # No HEAD: a link preview would begin a sign-in, or use up a code.
    return [
        web.get("/login/oidc", views.start, allow_head=False),
        web.get("/login/oidc/done", views.finish, allow_head=False),
    ]


def health_routes(store: Store) -> list[web.RouteDef]:
    """Return the routes for whatever starts and watches the server."""
    checks = HealthChecks(store)
    return [web.get("/healthz", checks.alive), web.get("/readyz", checks.ready)]


def overview_routes(site: Site) -> list[web.RouteDef]:
    """Return the routes of the page of all orgs."""
    pages = OverviewPages(site)
    return [web.get("/", pages.show), web.get("/overview", pages.now)]


def log_routes(pages: LogPages) -> list[web.RouteDef]:
    """Return the routes of the audit log: of one org, and of all."""
    return [
        # No HEAD for the download: it is recorded, and written while it is read.
        web.get(prefix + path, handler, allow_head=path == "/log")
        for prefix in (_ORG, "")
        for path, handler in (("/log", pages.show), ("/log.csv", pages.download))
    ]


def org_routes(site: Site) -> list[web.RouteDef]:
    """Return the routes of every org, and the redirects from the addresses of older versions."""
    # `web.get` also answers HEAD.
    methods = {"GET": web.get, "POST": web.post}
    routes = [
        methods[route.method](_ORG + route.path, _checked(site, route)) for route in ORG_ROUTES
    ]
    old_address = _OldAddress(site)
    return [*routes, *(web.get(path, old_address.redirect) for path in _OLD_PATHS)]


def _checked(site: Site, route: OrgRoute) -> Handler:
    """Return a handler that passes a request to an org, if the person may make it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        pages = site.enter(request, request.match_info["org"], route.right)
        return await route.handler(pages)(request)

    if route.path == "/files":  # a body in parts, whose CSRF token the handler reads
        return security.checks_csrf_itself(handle)
    return handle


class _OldAddress:
    """The handler for addresses that name no org."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def redirect(self, request: web.Request) -> web.StreamResponse:
        """Lead to the same page below the path of its org."""
        orgs = self._site.visible_orgs(request)
        org = self._org_of(request.match_info, orgs)
        if org is None:
            raise web.HTTPNotFound
        raise web.HTTPSeeOther(home_of(org) + request.path_qs)

    def _org_of(self, names: "web.UrlMappingMatchInfo", orgs: Sequence[str]) -> str | None:
        """Return the org of the named run or upload, or the only one; None for none."""
        store = self._site.store
        if (run_id := names.get("run")) is not None:
            run = store.runs.get(run_id)
            return run.info.org if run is not None and run.info.org in orgs else None
        if (upload_id := names.get("id")) is not None:
            return next((org for org in orgs if store.uploads.get(org, upload_id)), None)
        return orgs[0] if len(orgs) == 1 else None
