"""Signing in and out: a link that works once, or a name and a password."""

import secrets
from collections.abc import Callable

from aiohttp import web

from batchlock.store.audit_log import LOCAL_USER, UNKNOWN_NAME
from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.auth.guard import PasswordGuard, PasswordRefusedError
from batchlock.web.auth.login_page import LoginForm
from batchlock.web.auth.sessions import begin_session
from batchlock.web.auth.tokens import session_key
from batchlock.web.observer import PageObserver, SignInRefusal
from batchlock.web.translation import gettext as _


class AuthViews:
    """The pages for signing in and out."""

    def __init__(
        self,
        store: Store,
        form: LoginForm,
        rules: security.SecurityRules,
        *,
        org: str,
        on_link: Callable[[str], None],
        observer: PageObserver,
        guard: PasswordGuard,
    ) -> None:
        """Sign in LOCAL_USER by link while there are neither people nor a provider.

        `on_link` receives the path of each new link.
        """
        self._store = store
        self._form = form
        self._rules = rules
        self._org = org
        self._on_link = on_link
        self._observer = observer
        self._link_secret = ""
        self._guard = guard

    def open_link(self) -> None:
        """Create a new link, which replaces the last one, unless people sign in by themselves."""
        if self._form.oidc is None and not self._store.people.names():
            self._link_secret = secrets.token_urlsafe(32)
            self._on_link(f"/enter/{self._link_secret}")

    @security.open_to_all
    async def enter(self, request: web.Request) -> web.Response:
        """Sign in whoever has the link; it works once."""
        link_secret = request.match_info["link"].encode("utf-8", "replace")
        fits = secrets.compare_digest(link_secret, self._link_secret.encode())
        if not self._link_secret or not fits or self._store.people.names():
            self._observer.on_sign_in_refused(SignInRefusal.LINK)
            if self._link_secret:  # else no link is valid, and strangers could fill the log
                log, address = self._store.audit_log, request[security.ADDRESS]
                log.add(self._org, UNKNOWN_NAME, "tried to sign in", "by a link", address=address)
            raise web.HTTPForbidden(
                text=_(
                    "This link is not valid, or was used before. A new one is shown where "
                    "batchlock was started."
                )
            )
        response = self._start_session(request, LOCAL_USER, "/")
        self._link_secret = ""
        self.open_link()
        raise response

    @security.open_to_all
    async def show_login(self, request: web.Request) -> web.Response:
        """Show the form for name and password, or where to find the link."""
        if request[security.NAME]:
            raise web.HTTPSeeOther(security.local_path(request.query.get("next", "/")))
        return self._form.render(request, next_path=request.query.get("next", "/"))

    @security.open_to_all
    async def sign_in(self, request: web.Request) -> web.Response:
        """Sign in by name and password, unless too many wrong ones came before."""
        if not self._form.passwords:
            raise web.HTTPForbidden(text=_("Nobody signs in with a password here."))
        form = await security.form_of(request)
        name, password = str(form.get("name", "")).strip(), str(form.get("password", ""))
        next_path = security.local_path(str(form.get("next", "/")))
        address = security.client_address(request, self._rules)
        try:
            person = await self._guard.check(name, password, address)
        except PasswordRefusedError as error:
            return self._form.render(
                request, str(error), status=error.status, name=name, next_path=next_path
            )
        raise self._start_session(request, person.name, next_path)

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session."""
        self._store.sessions.end(session_key(request[security.COOKIE]))
        name, address = request[security.NAME], request[security.ADDRESS]
        self._store.audit_log.add(self._org, name, "signed out", address=address)
        is_oidc = self._store.oidc_people.find(name) is not None
        raise web.HTTPSeeOther("/login?signed-out" if is_oidc else "/login")

    def _start_session(self, request: web.Request, name: str, path: str) -> web.HTTPSeeOther:
        return begin_session(self._store, request, self._rules, org=self._org, name=name, path=path)
