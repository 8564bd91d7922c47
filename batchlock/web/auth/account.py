"""The account of the signed-in person: where they are signed in, and their password."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.store.sessions import Session
from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.auth.guard import PasswordGuard, PasswordRefusedError
from batchlock.web.auth.passwords import MIN_LENGTH
from batchlock.web.auth.strength import strength_of, weakness
from batchlock.web.auth.tokens import session_key
from batchlock.web.templating import Page, Templates
from batchlock.web.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage(Page):
    """The sessions of a person, and the form for a new password."""

    template: ClassVar[str] = "account.html"
    message: str
    """Why the password was not changed; empty before an attempt."""
    is_changed: bool
    """Whether the password was changed a moment ago."""
    has_password: bool
    """Whether the person signs in by a password."""
    oidc_roles: Mapping[str, str] | None
    """The roles of a person who signs in with OpenID Connect, by org; None for others."""
    sessions: Sequence[Session]
    own_key: str
    """The key of the session that shows the page."""
    min_length: int = MIN_LENGTH


class AccountViews:
    """The page of the own account."""

    def __init__(
        self,
        store: Store,
        templates: Templates,
        rules: security.SecurityRules,
        *,
        org: str,
        guard: PasswordGuard,
        passwords: bool,
    ) -> None:
        """Record what people do in the audit log of an org."""
        self._store = store
        self._templates = templates
        self._rules = rules
        self._org = org
        self._guard = guard
        self._passwords = passwords

    async def show(self, request: web.Request) -> web.Response:
        """Show the account of the signed-in person."""
        return self._page(request)

    @security.shows_activity
    async def note_activity(self, _: web.Request) -> web.Response:
        """Keep the session of a person who types or clicks on a page that sends nothing yet."""
        return web.Response(status=web.HTTPNoContent.status_code)

    async def end_session(self, request: web.Request) -> web.Response:
        """End another session of the person."""
        key = str((await security.form_of(request)).get("session", ""))
        if self._store.sessions.end_own(key, request[security.NAME]):
            self._log(request, "ended a session")
        raise web.HTTPSeeOther("/account")

    async def end_others(self, request: web.Request) -> web.Response:
        """End all sessions of the person but this one."""
        key = session_key(request[security.COOKIE])
        if self._store.sessions.end_others(key, request[security.NAME]):
            self._log(request, "ended all other sessions")
        raise web.HTTPSeeOther("/account")

    async def strength(self, request: web.Request) -> web.Response:
        """Answer how strong a password is that the person types."""
        form = await security.form_of(request)
        name, password = request[security.NAME], str(form.get("new", ""))
        address = security.client_address(request, self._rules)
        try:
            strength = await self._guard.compute(address, lambda: strength_of(password, name))
        except PasswordRefusedError as error:
            raise web.HTTPTooManyRequests(text=str(error)) from None
        return web.json_response(strength._asdict())

    async def change_password(self, request: web.Request) -> web.Response:
        """Change the password of the person, and end the other sessions."""
        form = await security.form_of(request)
        old, new, again = (str(form.get(name, "")) for name in ("old", "new", "again"))
        name = request[security.NAME]
        if not self._has_password(name):
            raise web.HTTPConflict(text=_("You have signed in without a password, and have none."))
        if new != again:
            message = _("The new password and its repetition differ. Type the same twice.")
            return self._page(request, message, status=422)
        address = security.client_address(request, self._rules)
        try:
            person = await self._guard.check(name, old, address)
            if message := await self._guard.compute(address, lambda: weakness(new, name)):
                return self._page(request, message, status=422)
            new_hash = await self._guard.hash(new, address)
        except PasswordRefusedError as error:
            is_wrong = error.status == web.HTTPForbidden.status_code
            message = _("The old password is not right.") if is_wrong else str(error)
            return self._page(request, message, status=error.status)
        if not self._store.people.change_password(person.name, person.password_hash, new_hash):
            raise web.HTTPConflict(text=_("The password was changed elsewhere. Sign in again."))
        self._log(request, "changed the password")
        raise security.start_session(
            self._store, request, self._rules, name=person.name, path="/account?changed=1"
        )

    def _page(self, request: web.Request, message: str = "", *, status: int = 200) -> web.Response:
        name = request[security.NAME]
        oidc_person = self._store.oidc_people.find(name)
        page = AccountPage(
            message=message,
            is_changed="changed" in request.query,
            has_password=self._has_password(name),
            oidc_roles=None if oidc_person is None else oidc_person.roles,
            sessions=self._store.sessions.of(
                name,
                max_idle_seconds=self._rules.session_seconds,
                max_age_seconds=self._rules.session_limit_seconds,
            ),
            own_key=session_key(request[security.COOKIE]),
        )
        return self._templates.render_page(request, page, status=status)

    def _has_password(self, name: str) -> bool:
        return self._passwords and self._store.people.find(name) is not None

    def _log(self, request: web.Request, action: str) -> None:
        name, address = request[security.NAME], request[security.ADDRESS]
        self._store.audit_log.add(self._org, name, action, address=address)
