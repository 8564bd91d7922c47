"""Signing in at the provider of a company: the way there, and the way back."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, unquote

from aiohttp import web

from batchlock.store.audit_log import UNKNOWN_NAME
from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.auth.login_page import LoginForm
from batchlock.web.auth.sessions import begin_session
from batchlock.web.observer import PageObserver, SignInRefusal
from batchlock.web.oidc.client import Identity, OidcClient
from batchlock.web.oidc.failure import Failure, SignInFailedError

_log = logging.getLogger(__name__)

_SECRET_BYTES = 32
# How long a person may take at the provider.
_COOKIE_SECONDS = 600
# A browser sends all cookies with every request; a longer path leads to the first page.
_MAX_PATH = 2000
# At a time. Each may wait for the provider as long as the settings say.
_MAX_PENDING = 20


class OidcViews:
    """The two addresses of a sign-in with OpenID Connect.

    The browser keeps a secret in a cookie of its own between the two, and the server keeps nothing:
    any server may answer, and nobody can fill a table by beginning many sign-ins.
    """

    def __init__(
        self,
        client: OidcClient,
        store: Store,
        form: LoginForm,
        rules: security.SecurityRules,
        *,
        org: str,
        observer: PageObserver,
    ) -> None:
        """Record what people do in the audit log of an org."""
        self._client = client
        self._store = store
        self._form = form
        self._rules = rules
        self._org = org
        self._observer = observer
        self._pending = 0

    @security.open_to_all
    async def start(self, request: web.Request) -> web.Response:
        """Lead to the provider."""
        next_path = security.local_path(request.query.get("next", "/"))
        if request[security.NAME]:
            raise web.HTTPSeeOther(next_path)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        try:
            with self._one_more():
                url = await self._client.authorization_url(secret, self._redirect_uri(request))
        except SignInFailedError as error:
            return self._failed(request, error, next_path)
        response = web.HTTPSeeOther(url)
        path = next_path if len(next_path) <= _MAX_PATH else "/"
        self._set_cookie(request, response, f"{secret}.{quote(path, safe='')}", _COOKIE_SECONDS)
        raise response

    @security.open_to_all
    async def finish(self, request: web.Request) -> web.Response:
        """Sign in the person whom the provider names, and lead to the page that was asked for."""
        cookie = request.cookies.get(self._cookie_name(request), "")
        secret, _, path = cookie.partition(".")
        next_path = security.local_path(unquote(path) or "/")
        try:
            with self._one_more():
                identity = await self._client.identity(
                    request.query, secret, self._redirect_uri(request)
                )
            redirect = self._signed_in(request, identity, next_path)
        except SignInFailedError as error:
            response = self._failed(request, error, next_path)
            self._set_cookie(request, response, "", 0)
            return response
        self._set_cookie(request, redirect, "", 0)
        raise redirect

    def _signed_in(self, request: web.Request, one: Identity, path: str) -> web.HTTPSeeOther:
        """Start the session of a person, with the roles that the groups give now.

        Without any the other sessions end, too. Raises SignInFailedError.
        """
        if not one.roles:
            self._store.oidc_people.withdraw(one.issuer, one.subject)
            reason = f"no group of {one.subject!r:.200} may sign in"
            raise SignInFailedError(Failure.NO_GROUP, reason)
        name = self._store.oidc_people.sign_in(one.issuer, one.subject, one.name, one.roles)
        way = "with OpenID Connect"
        return begin_session(
            self._store, request, self._rules, org=self._org, name=name, path=path, way=way
        )

    def _failed(
        self, request: web.Request, error: SignInFailedError, next_path: str
    ) -> web.Response:
        self._observer.on_sign_in_refused(SignInRefusal.PROVIDER)
        address = request[security.ADDRESS]
        _log.warning("sign-in with OpenID Connect from %s failed: %s", address, error)
        failure = error.failure
        if failure is Failure.NO_GROUP:
            # Only the provider's people come here, so nobody else can fill the log of the org.
            log = self._store.audit_log
            log.add(self._org, UNKNOWN_NAME, "tried to sign in", str(error), address=address)
        return self._form.render(
            request,
            failure.sentence,
            status=failure.status,
            next_path=next_path,
            is_wrong_account=failure is Failure.NO_GROUP,
        )

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        """Count a sign-in that may wait for the provider. Raises SignInFailedError."""
        if self._pending >= _MAX_PENDING:
            raise SignInFailedError(Failure.BUSY, f"{_MAX_PENDING} others wait for the provider")
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    def _redirect_uri(self, request: web.Request) -> str:
        return f"{security.base_url(request, self._rules)}/login/oidc/done"

    def _cookie_name(self, request: web.Request) -> str:
        return f"{self._rules.cookie_name(request)}_oidc"

    def _set_cookie(
        self, request: web.Request, response: web.StreamResponse, value: str, seconds: int
    ) -> None:
        """Set the cookie of a sign-in; with 0 seconds the browser removes it."""
        response.set_cookie(
            self._cookie_name(request),
            value,
            max_age=seconds,
            httponly=True,
            # Not Strict: the way back begins at the site of the provider.
            samesite="Lax",
            secure=security.is_encrypted(request, self._rules),
            path="/",
        )
