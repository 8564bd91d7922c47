"""The routes: below /orgs/<org> those of one org, beside them those of all orgs.

A request about an org passes `Site.enter` first, which checks that the person has the right that
the route needs. A route that changes something needs the right to send unless it names another.
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


@dataclass(frozen=True, slots=True)
class OrgRoute:
    """A route of one org."""

    method: str
    path: str
    """Below the path of the org."""
    handler: Callable[[OrgPages], Handler]
    """Selects the handler among those of the org."""
    is_preparation: bool = False
    """Whether it changes something and sends nothing."""
    is_administration: bool = False
    """Whether it changes what holds for everybody."""

    @property
    def right(self) -> Right:
        """The right that a person needs."""
        if self.method == "GET":
            return Right.SEE
        if self.is_administration:
            return Right.ADMINISTER
        return Right.PREPARE if self.is_preparation else Right.SEND


ORG_ROUTES = (
    OrgRoute("GET", "", lambda pages: pages.runs.home),
    OrgRoute("GET", "/template.xlsx", lambda pages: pages.workbooks.template),
    OrgRoute("POST", "/files", lambda pages: pages.uploads.receive, is_preparation=True),
    OrgRoute("GET", "/files/{id}", lambda pages: pages.uploads.show),
    OrgRoute("GET", "/files/{id}/problems.xlsx", lambda pages: pages.workbooks.problems),
    OrgRoute(
        "POST", "/files/{id}/read", lambda pages: pages.uploads.read_again, is_preparation=True
    ),
    OrgRoute("GET", "/files/{id}/correct", lambda pages: pages.corrections.show),
    OrgRoute(
        "POST", "/files/{id}/correct", lambda pages: pages.corrections.save, is_preparation=True
    ),
    OrgRoute("GET", "/files/{id}/options", lambda pages: pages.options.of_upload),
    OrgRoute("POST", "/files/{id}/start", lambda pages: pages.uploads.start),
    OrgRoute("POST", "/files/{id}/remove", lambda pages: pages.uploads.remove, is_preparation=True),
    OrgRoute(
        "POST",
        "/unreadable/remove",
        lambda pages: pages.uploads.remove_unreadable,
        is_preparation=True,
    ),
    OrgRoute("GET", "/choices", lambda pages: pages.choices.show),
    OrgRoute("POST", "/choices/remove", lambda pages: pages.choices.remove, is_preparation=True),
    OrgRoute("POST", "/choices/agree", lambda pages: pages.choices.agree, is_preparation=True),
    OrgRoute("GET", _RUN, lambda pages: pages.runs.show),
    OrgRoute("GET", _RUN + "/now", lambda pages: pages.live.now),
    OrgRoute("GET", _RUN + "/results.{format:xlsx|csv}", lambda pages: pages.results.download),
    OrgRoute("POST", _RUN + "/pause", lambda pages: pages.actions.pause),
    OrgRoute("POST", _RUN + "/stop", lambda pages: pages.actions.stop),
    OrgRoute("POST", _RUN + "/go-on", lambda pages: pages.actions.resume),
    OrgRoute("GET", _RUN + "/options", lambda pages: pages.options.of_run),
    OrgRoute("POST", _RUN + "/note", lambda pages: pages.actions.set_note),
    OrgRoute("POST", _RUN + "/move", lambda pages: pages.actions.move, is_administration=True),
    OrgRoute("POST", _RUN + "/retry", lambda pages: pages.actions.retry),
    OrgRoute("GET", _RUN + "/undo", lambda pages: pages.undo.show),
    OrgRoute("POST", _RUN + "/undo", lambda pages: pages.actions.undo),
    OrgRoute("POST", _RUN + "/use", lambda pages: pages.found.use, is_preparation=True),
    OrgRoute("GET", "/locks", lambda pages: pages.locks.show),
    OrgRoute("POST", "/locks", lambda pages: pages.locks.start),
    OrgRoute("GET", "/connection", lambda pages: pages.connection.show),
    OrgRoute(
        "POST", "/connection/begin", lambda pages: pages.connection.begin, is_administration=True
    ),
    OrgRoute("POST", "/connection/ask", lambda pages: pages.connection.ask, is_administration=True),
    OrgRoute(
        "POST", "/connection/use", lambda pages: pages.connection.confirm, is_administration=True
    ),
    OrgRoute(
        "POST", "/connection/cancel", lambda pages: pages.connection.cancel, is_administration=True
    ),
    OrgRoute("POST", "/connection/check", lambda pages: pages.connection.check),
    OrgRoute("GET", "/history", lambda pages: pages.runs.history),
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
        web.get(prefix + path, handler)
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
