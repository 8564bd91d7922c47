"""Signing in and out: a link that works once, or a name and a password."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.auth.guard import MAX_NAME, PasswordGuard, PasswordRefusedError
from batchlock.web.auth.tokens import session_key
from batchlock.web.observer import PageObserver, SignInRefusal
from batchlock.web.templating import Page, Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage(Page):
    """The form for name and password."""

    template: ClassVar[str] = "login.html"
    message: str
    """Why the last attempt failed; empty before the first."""
    has_people: bool
    """Whether anybody has a password; without people there is only the link."""
    entered_name: str
    next_path: str
    """The path of the page that was requested without a session."""


class AuthViews:
    """The pages for signing in and out."""

    def __init__(
        self,
        store: Store,
        templates: Templates,
        rules: security.SecurityRules,
        *,
        org: str,
        local_user: str,
        on_link: Callable[[str], None],
        observer: PageObserver,
        guard: PasswordGuard,
    ) -> None:
        """Sign in `local_user` by link while there are no people.

        `on_link` receives the path of each new link.
        """
        self._store = store
        self._templates = templates
        self._rules = rules
        self._org = org
        self._local_user = local_user
        self._on_link = on_link
        self._observer = observer
        self._link_secret = ""
        self._guard = guard

    def open_link(self) -> None:
        """Create a new link, which replaces the last one, unless people need a password."""
        if not self._store.people.names():
            self._link_secret = secrets.token_urlsafe(32)
            self._on_link(f"/enter/{self._link_secret}")

    @security.open_to_all
    async def enter(self, request: web.Request) -> web.Response:
        """Sign in whoever has the link; it works once."""
        link_secret = request.match_info["link"].encode("utf-8", "replace")
        fits = secrets.compare_digest(link_secret, self._link_secret.encode())
        if not self._link_secret or not fits or self._store.people.names():
            self._observer.on_sign_in_refused(SignInRefusal.LINK)
            raise web.HTTPForbidden(
                text="This link is not valid, or was used before. A new one is shown where "
                "batchlock was started."
            )
        response = self._start_session(request, self._local_user, "/")
        self._link_secret = ""
        self.open_link()
        raise response

    @security.open_to_all
    async def show_login(self, request: web.Request) -> web.Response:
        """Show the form for name and password, or where to find the link."""
        if request[security.NAME]:
            raise web.HTTPSeeOther(security.local_path(request.query.get("next", "/")))
        return self._login_page(request, next_path=request.query.get("next", "/"))

    @security.open_to_all
    async def sign_in(self, request: web.Request) -> web.Response:
        """Sign in by name and password, unless too many wrong ones came before."""
        form = await security.form_of(request)
        name, password = str(form.get("name", "")).strip(), str(form.get("password", ""))
        next_path = security.local_path(str(form.get("next", "/")))
        address = security.client_address(request, self._rules)
        try:
            person = await self._guard.check(name, password, address)
        except PasswordRefusedError as error:
            return self._login_page(
                request, str(error), status=error.status, name=name, next_path=next_path
            )
        raise self._start_session(request, person.name, next_path)

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session."""
        self._store.sessions.end(session_key(request[security.COOKIE]))
        name, address = request[security.NAME], request[security.ADDRESS]
        self._store.audit_log.add(self._org, name, "signed out", address=address)
        raise web.HTTPSeeOther("/login")

    def _login_page(
        self,
        request: web.Request,
        message: str = "",
        *,
        status: int = 200,
        name: str = "",
        next_path: str,
    ) -> web.Response:
        page = LoginPage(
            message=message,
            has_people=bool(self._store.people.names()),
            entered_name=name[:MAX_NAME],
            next_path=security.local_path(next_path),
        )
        return self._templates.render_page(request, page, status=status)

    def _start_session(self, request: web.Request, name: str, path: str) -> web.HTTPSeeOther:
        """Start a session, and return the answer that leads to a path."""
        self._store.sessions.end(session_key(request[security.COOKIE]))
        address = request[security.ADDRESS]
        self._store.audit_log.add(self._org, name, "signed in", address=address)
        return security.start_session(self._store, request, self._rules, name=name, path=path)
