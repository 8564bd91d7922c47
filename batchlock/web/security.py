"""What every request must pass before a page handles it, and the headers of every answer.

Host        one of the configured names, else 421: protects against DNS rebinding
session     a signed-in person, else the sign-in page
CSRF        a change must come from this site, and carry the token of its cookie
"""

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from batchlock.store.store import Store
from batchlock.web.addresses import KnownHosts
from batchlock.web.auth.tokens import csrf_token, new_cookie, session_key
from batchlock.web.translation import gettext as _

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_H = TypeVar("_H", bound=Callable[..., Awaitable[web.StreamResponse]])

# No inline script or style: a cell that escaped from its markup still could not run.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# A year, as OWASP recommends. Not for subdomains: whoever runs them decides about them.
_ONLY_TLS = "max-age=31536000"
_JSON_FILE = 'attachment; filename="batchlock.json"'
# Browsers send 80 to 150 characters.
_MAX_BROWSER = 200
_SAFE_METHODS = ("GET", "HEAD")

REFRESHED = "refreshed"
"""The name in the query of a page that the browser loads again by itself, without the script."""
COOKIE = web.RequestKey("cookie", str)
"""The cookie of the browser, whether somebody is signed in or not."""
ADDRESS = web.RequestKey("address", str)
"""The address of the browser."""
NAME = web.RequestKey("name", str)
"""The name of the signed-in person; empty if nobody is signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRules:
    """The settings that the security of one server depends on."""

    hosts: KnownHosts
    proxies: Collection[str]
    """Addresses whose X-Forwarded headers are trusted."""
    session_seconds: float
    """How long a session may be idle."""
    session_limit_seconds: float
    """How long a session may last."""
    cookie: str
    """The cookie's name where the connection has no TLS."""

    def cookie_name(self, request: web.Request) -> str:
        """Return the name of the cookie.

        With TLS it has a prefix, for which browsers take a cookie from this host alone, and never
        from a page without TLS.
        """
        return f"__Host-{self.cookie}" if is_encrypted(request, self) else self.cookie


def open_to_all(handler: _H) -> _H:
    """Mark a handler that needs no session."""
    handler.open_to_all = True  # type: ignore[attr-defined]  # the middleware reads this mark
    return handler


def for_machines(handler: _H) -> _H:
    """Mark a handler that says nothing about anybody, and needs neither a session nor a name.

    Whatever watches the server asks by its address, and also while the store cannot be used.
    """
    handler.for_machines = True  # type: ignore[attr-defined]  # the middleware reads this mark
    return handler


def shows_activity(handler: _H) -> _H:
    """Mark a handler that a page requests by itself, because the person does something on it."""
    handler.shows_activity = True  # type: ignore[attr-defined]  # the middleware reads this mark
    return handler


def checks_csrf_itself(handler: _H) -> _H:
    """Mark a handler that reads a multipart body, and checks the CSRF token in it by itself."""
    handler.checks_csrf_itself = True  # type: ignore[attr-defined]  # the middleware reads it
    return handler


def client_address(request: web.Request, rules: SecurityRules) -> str:
    """Return the client's address: the one that a trusted proxy reports, else the peer's."""
    peer = request.remote or ""
    if peer in rules.proxies:
        try:
            return str(ipaddress.ip_address(_last_item(request, "X-Forwarded-For")))
        except ValueError:
            pass
    return peer


def is_encrypted(request: web.Request, rules: SecurityRules) -> bool:
    """Return whether the browser's connection, to us or to a trusted proxy, uses TLS."""
    if request.remote in rules.proxies:
        return _last_item(request, "X-Forwarded-Proto") == "https"
    return request.secure


def base_url(request: web.Request, rules: SecurityRules) -> str:
    """Return the address of the page as the browser has it, without a slash at the end."""
    scheme = "https" if is_encrypted(request, rules) else "http"
    return f"{scheme}://{request.host}"


def set_cookie(
    response: web.StreamResponse, request: web.Request, rules: SecurityRules, cookie: str
) -> None:
    """Set the browser's cookie."""
    response.set_cookie(
        rules.cookie_name(request),
        cookie,
        httponly=True,
        # Not Strict: a link in a mail would ask for the password of somebody who is signed in. With
        # Lax another site can make a browser send the cookie only with a GET that a person follows,
        # and a GET changes nothing.
        samesite="Lax",
        secure=is_encrypted(request, rules),
        path="/",
    )


def start_session(
    store: Store, request: web.Request, rules: SecurityRules, *, name: str, path: str
) -> web.HTTPSeeOther:
    """Start a session of a person, and return the answer that leads to a path of this site.

    It has a new cookie, so that a cookie set by somebody else is worthless.
    """
    cookie = new_cookie()
    store.sessions.start(
        session_key(cookie),
        name,
        address=client_address(request, rules),
        browser=_printable(request.headers.get("User-Agent", ""))[:_MAX_BROWSER],
    )
    response = web.HTTPSeeOther(path)
    set_cookie(response, request, rules, cookie)
    return response


def local_path(text: str) -> str:
    """Return a path of this site as it is, and the first page for anything else."""
    # A browser takes // and /\\ as the beginning of another site, and skips control characters.
    is_local = text.startswith("/") and text[1:2] not in ("/", "\\") and text.isprintable()
    return text if is_local else "/"


def csrf_fits(request: web.Request, token: object) -> bool:
    """Return whether a token is the CSRF token of the request's cookie."""
    expected = csrf_token(request[COOKIE])
    return isinstance(token, str) and secrets.compare_digest(
        token.encode("utf-8", "surrogatepass"), expected.encode()
    )


def foreign_change() -> web.HTTPForbidden:
    """Return the answer to a change that does not come from this site."""
    return web.HTTPForbidden(
        text=_(
            "This page was open for too long, or did not come from here. Go back, load it again "
            "and repeat what you did."
        )
    )


async def form_of(request: web.Request) -> Mapping[str, object]:
    """Return the form of a request; raises HTTPBadRequest if it is malformed."""
    try:
        form = await request.post()
    except (ValueError, LookupError):  # bad percent-encoding; an unknown charset
        raise web.HTTPBadRequest from None
    # No browser sends it, and PostgreSQL takes no text with it.
    if any(isinstance(text, str) and "\0" in text for text in form.values()):
        raise web.HTTPBadRequest
    return form


def header_signal(
    rules: SecurityRules,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return the signal that sets the security headers of every answer of the application."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        add_headers(response)
        if response.content_type == "application/json":
            # Opened as a page, an answer for the script is saved and never shown.
            response.headers.setdefault("Content-Disposition", _JSON_FILE)
        if is_encrypted(request, rules):
            response.headers.setdefault("Strict-Transport-Security", _ONLY_TLS)

    return add


def add_headers(response: web.StreamResponse) -> None:
    """Set the security headers of an answer, and remove the one that names the server."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.popall("Server", None)


def middlewares(store: Store, rules: SecurityRules) -> list[Middleware]:
    """Return the checks that every request passes, in their order."""
    return [_check_host(rules), _load_session(store, rules), _check_csrf(rules)]


def _check_host(rules: SecurityRules) -> Middleware:
    @web.middleware
    async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _is_for_machines(request):
            return await handler(request)
        if not rules.hosts.knows(request.headers.get("Host", "")):
            # The error page needs both keys, and must not show anything of a session.
            request[COOKIE], request[NAME] = new_cookie(), ""
            raise web.HTTPMisdirectedRequest(
                text=_(
                    "The page is not known by this name. Whoever runs it can add the name to "
                    "web.hosts in the configuration."
                )
            )
        return await handler(request)

    return check_host


def _load_session(store: Store, rules: SecurityRules) -> Middleware:
    @web.middleware
    async def load_session(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _is_for_machines(request):
            return await handler(request)
        request[ADDRESS] = client_address(request, rules)
        cookie_name, name = rules.cookie_name(request), None
        cookie = request.cookies.get(cookie_name, "")
        # The error page needs both, also when the store cannot be used.
        request[COOKIE], request[NAME] = cookie or new_cookie(), ""
        if cookie:
            name = store.sessions.name(
                session_key(cookie),
                max_idle_seconds=rules.session_seconds,
                max_age_seconds=rules.session_limit_seconds,
                is_use=not is_poll(request),
            )
        request[NAME] = name or ""
        if name is None and not hasattr(request.match_info.handler, "open_to_all"):
            if request.method in _SAFE_METHODS:
                raise web.HTTPSeeOther(_sign_in_path(request))
            raise web.HTTPUnauthorized(
                text=_("You are signed out. Sign in again, then repeat this.")
            )
        if "\0" in request.path:  # nothing has such a name, and PostgreSQL cannot even look for it
            raise web.HTTPNotFound
        response = await handler(request)
        # Even the sign-in form needs a cookie, because its CSRF token is derived from it.
        if not cookie and not response.prepared and cookie_name not in response.cookies:
            set_cookie(response, request, rules, request[COOKIE])
        return response

    return load_session


def is_poll(request: web.Request) -> bool:
    """Return whether an open page made the request by itself, to show what is new.

    Not a page that a person opens: that is requested as HTML, and never stored by the browser.
    """
    if hasattr(request.match_info.handler, "shows_activity"):
        return False
    return request.method in _SAFE_METHODS and (
        REFRESHED in request.query  # the browser of a page without the script
        or "If-None-Match" in request.headers
        or request.headers.get("Sec-Fetch-Dest") == "empty"
        or "text/html" not in request.headers.get("Accept", "text/html")
    )


def _sign_in_path(request: web.Request) -> str:
    """Return the path of the sign-in page, which leads to the requested page afterwards."""
    path = request.path_qs
    return "/login" if path == "/" else f"/login?{urlencode({'next': path})}"


def _is_for_machines(request: web.Request) -> bool:
    return hasattr(request.match_info.handler, "for_machines")


def _check_csrf(rules: SecurityRules) -> Middleware:
    # Both the headers and the token are checked: some browsers and proxies send neither
    # Sec-Fetch-Site nor Origin, and then only the token shows where a change comes from.
    @web.middleware
    async def check_csrf(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in _SAFE_METHODS:
            return await handler(request)
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = request.headers.get("Origin")
        if site not in ("same-origin", "none") or (
            origin is not None and not rules.hosts.knows(urlsplit(origin).netloc)
        ):
            raise foreign_change()
        if not hasattr(request.match_info.handler, "checks_csrf_itself"):
            if request.content_type != "application/x-www-form-urlencoded":
                raise web.HTTPUnsupportedMediaType(text=_("This takes a form only."))
            if not csrf_fits(request, (await form_of(request)).get("csrf")):
                raise foreign_change()
        return await handler(request)

    return check_csrf


def _printable(text: str) -> str:
    """Return a header as text that every database takes."""
    return "".join(sign for sign in text if sign.isprintable())


def _last_item(request: web.Request, header: str) -> str:
    """Return the last item of a list header: the only one that the nearest proxy wrote itself."""
    return ",".join(request.headers.getall(header, [])).split(",")[-1].strip()
