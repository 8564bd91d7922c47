"""Signing in and out: a link that works once, or a name and a password."""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from aiohttp import web

from batchlock.store.people import Person, folded
from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.auth.hashing import HashQueue, HashQueueFullError
from batchlock.web.auth.passwords import hash_password, needs_rehash, verify_password
from batchlock.web.auth.throttle import LoginThrottle
from batchlock.web.auth.tokens import new_cookie, session_key
from batchlock.web.observer import PageObserver, SignInRefusal
from batchlock.web.templating import Page, Templates

# Bounds what is kept of a name that somebody typed.
_MAX_NAME = 80
# Instead of a name that nobody has: it may be a password that was typed into the wrong field.
_UNKNOWN_NAME = "an unknown name"


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
        self._throttle = LoginThrottle(time.monotonic)
        self._link_secret = ""
        self._hashing = HashQueue()

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
        show_form = partial(self._login_page, request, name=name, next_path=next_path)
        address = security.client_address(request, self._rules)
        name_key = folded(name[:_MAX_NAME])
        if (wait_seconds := self._throttle.wait_seconds(name_key, address)) > 0:
            self._observer.on_sign_in_refused(SignInRefusal.THROTTLE)
            message = f"Too many wrong passwords. Try again in {wait_seconds:,.0f} seconds."
            return show_form(message, status=429)
        person = self._store.people.find(name)
        if self._hashing.is_full_for(address):
            self._observer.on_sign_in_refused(SignInRefusal.BUSY)
            message = "Too many sign-ins are being checked. Try again in a few seconds."
            return show_form(message, status=429)
        # Counted before the check, or many attempts at once would all pass the throttle.
        self._throttle.record_failure(name_key, address)
        if not await self._verify(person, password, address) or person is None:
            self._observer.on_sign_in_refused(SignInRefusal.PASSWORD)
            known_name = _UNKNOWN_NAME if person is None else person.name
            self._store.audit_log.add(self._org, known_name, "tried to sign in", f"from {address}")
            message = "Name or password is not right."
            return show_form(message, status=403)
        self._throttle.record_success(name_key, address)
        raise self._start_session(request, person.name, next_path)

    async def _verify(self, person: Person | None, password: str, address: str) -> bool:
        """Check a password, and replace a hash of an older kind.

        It takes as long for nobody. Raises HashQueueFullError as `HashQueue.run` does.
        """
        password_hash = None if person is None else person.password_hash
        check = partial(verify_password, password, password_hash)
        fits = await self._hashing.run(address, check)
        if fits and person is not None and needs_rehash(person.password_hash):
            # The person is signed in anyway; the next sign-in replaces the hash, too.
            with suppress(HashQueueFullError):
                new_hash = await self._hashing.run(address, partial(hash_password, password))
                self._store.people.rehash(person.name, person.password_hash, new_hash)
        return fits

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session."""
        self._store.sessions.end(session_key(request[security.COOKIE]))
        self._store.audit_log.add(self._org, request[security.NAME], "signed out")
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
            entered_name=name[:_MAX_NAME],
            next_path=security.local_path(next_path),
        )
        return self._templates.render_page(request, page, status=status)

    def _start_session(self, request: web.Request, name: str, path: str) -> web.HTTPSeeOther:
        """Start a session with a new cookie, so that a cookie set by somebody else is worthless.

        Returns the answer that leads to a path.
        """
        self._store.sessions.end(session_key(request[security.COOKIE]))
        cookie = new_cookie()
        self._store.sessions.start(session_key(cookie), name)
        self._store.audit_log.add(self._org, name, "signed in")
        response = web.HTTPSeeOther(path)
        security.set_cookie(response, request, self._rules, cookie)
        return response
