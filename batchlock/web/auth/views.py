"""Who may come in: a link that opens once, or a name and a password."""

import asyncio
import secrets
import time
from collections.abc import Callable

from aiohttp import web

from batchlock.store.page import Store
from batchlock.web import security
from batchlock.web.auth.passwords import LoginThrottle, key_of, matches, new_cookie
from batchlock.web.templating import Templates

_AT_ONCE = 2
"""Passwords looked at together, since each takes a moment of a whole core and 32 MiB."""


class AuthViews:
    """Signs people in and out."""

    def __init__(
        self,
        store: Store,
        look: Templates,
        rules: security.SecurityRules,
        *,
        org: str,
        alone: str,
        tells: Callable[[str], None],
    ) -> None:
        """Where there are no people, `alone` is who a link lets in; `tells` is told of each link.

        A link is what comes after the address.
        """
        self._store = store
        self._look = look
        self._rules = rules
        self._org = org
        self._alone = alone
        self._tells = tells
        self._patience = LoginThrottle(time.monotonic)
        self._link = ""
        self._looking = asyncio.Semaphore(_AT_ONCE)

    def open_a_link(self) -> None:
        """Make a new link, if nobody needs a password here; an earlier one is good no longer."""
        if not self._store.people():
            self._link = secrets.token_urlsafe(32)
            self._tells(f"/enter/{self._link}")

    @security.open_to_all
    async def enter(self, request: web.Request) -> web.Response:
        """Let in whoever has the link, once."""
        given = request.match_info["link"]
        fits = secrets.compare_digest(given.encode("utf-8", "replace"), self._link.encode())
        if not self._link or not fits or self._store.people():
            raise web.HTTPForbidden(
                text="This link has been used, or is none. A new one stands where batchlock was "
                "started."
            )
        response = self._signed_in(request, self._alone, "entered.html")
        self._link = ""
        self.open_a_link()
        return response

    @security.open_to_all
    async def ask(self, request: web.Request) -> web.Response:
        """Ask for name and password, or say where the link is."""
        if request[security.NAME]:
            raise web.HTTPSeeOther("/")
        return self._asked(request)

    @security.open_to_all
    async def sign_in(self, request: web.Request) -> web.Response:
        """Look at name and password, but not as often as somebody would like to guess."""
        form = await security.form_of(request)
        name, password = str(form.get("name", "")).strip(), str(form.get("password", ""))
        whom = (f"name {name.casefold()}", f"address {security.address_of(request, self._rules)}")
        if (wait := self._patience.wait(whom)) > 0:
            return self._asked(
                request,
                f"Too many wrong passwords. Try again in {wait:,.0f} seconds.",
                status=429,
                name=name,
            )
        self._patience.wrong(whom)  # until it turns out to be right: many may come at once
        async with self._looking:
            kept = self._store.secret(name)
            fits = await asyncio.to_thread(matches, password, kept)
        if not fits:
            address = security.address_of(request, self._rules)
            self._store.write(self._org, name[:80], "tried to sign in", f"from {address}")
            return self._asked(request, "Name or password is not right.", status=403, name=name)
        self._patience.right(whom)
        return self._signed_in(request, name, "entered.html")

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session."""
        self._store.end_session(key_of(request[security.COOKIE]))
        self._store.write(self._org, request[security.NAME], "signed out")
        raise web.HTTPSeeOther("/login")

    def _asked(
        self, request: web.Request, said: str = "", *, status: int = 200, name: str = ""
    ) -> web.Response:
        people = bool(self._store.people())
        return self._look.page(
            request, "login.html", status=status, said=said, people=people, given=name[:80]
        )

    def _signed_in(self, request: web.Request, name: str, template: str) -> web.Response:
        """Begin a session, with a cookie that nobody has had before.

        The page goes on by itself, instead of being a redirect: a cookie for this site alone is
        not sent when another site's link leads through a redirect.
        """
        self._store.end_session(key_of(request[security.COOKIE]))
        cookie = new_cookie()
        self._store.put_session(key_of(cookie), name)
        self._store.write(self._org, name, "signed in")
        response = self._look.page(request, template)
        security.keep_cookie(response, request, self._rules, cookie)
        return response
