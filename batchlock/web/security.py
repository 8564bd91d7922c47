"""What every request must pass before a page sees it, and every answer carries.

Host        one of our own names, or 421: a foreign name that points here is not ours
session     a person, or the way to the door
CSRF        every change shows what only a page of ours can know
errors      a sentence, or a reference number for what nobody expected
"""

import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from batchlock.core.errors import BatchlockError
from batchlock.store.page import Store
from batchlock.web.auth.passwords import csrf_of, key_of, new_cookie

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = Callable[..., web.Response]
_H = TypeVar("_H", bound=Callable[..., Awaitable[web.StreamResponse]])

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
_CHANGES_NOTHING = ("GET", "HEAD")

COOKIE = web.RequestKey("cookie", str)
"""What the browser is known by, whether somebody is signed in or not."""
NAME = web.RequestKey("name", str)
"""Who it is; empty while nobody has signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRules:
    """What the safety of a server depends on."""

    hosts: frozenset[str]
    """Names under which it may be asked for, in lower case."""
    proxies: Collection[str]
    """Addresses whose X-Forwarded headers are believed."""
    session: float
    """Seconds without a request after which a person signs in again."""
    cookie: str
    """The cookie's name."""


def open_to_all(handler: _H) -> _H:
    """Mark a page that needs no session."""
    handler.open_to_all = True  # type: ignore[attr-defined]  # a mark, and nothing else
    return handler


def checks_itself(handler: _H) -> _H:
    """Mark a page whose body comes in parts, and that looks for the CSRF token by itself."""
    handler.checks_itself = True  # type: ignore[attr-defined]  # the same
    return handler


def address_of(request: web.Request, rules: SecurityRules) -> str:
    """Return where a request comes from: what a trusted proxy says, else who has called."""
    peer = request.remote or ""
    if peer in rules.proxies:
        try:
            return str(ipaddress.ip_address(_last_of(request, "X-Forwarded-For")))
        except ValueError:
            pass
    return peer


def is_encrypted(request: web.Request, rules: SecurityRules) -> bool:
    """Tell whether the browser speaks TLS, to us or to a trusted proxy."""
    if request.remote in rules.proxies:
        return _last_of(request, "X-Forwarded-Proto") == "https"
    return request.secure


def keep_cookie(
    response: web.StreamResponse, request: web.Request, rules: SecurityRules, cookie: str
) -> None:
    """Have the browser known by this cookie from now on."""
    response.set_cookie(
        rules.cookie,
        cookie,
        httponly=True,
        samesite="Strict",
        secure=is_encrypted(request, rules),
        path="/",
    )


def csrf_fits(request: web.Request, given: object) -> bool:
    """Tell whether a change comes from a page of ours."""
    wanted = csrf_of(request[COOKIE])
    return isinstance(given, str) and secrets.compare_digest(
        given.encode("utf-8", "surrogatepass"), wanted.encode()
    )


def refuse_change() -> web.HTTPForbidden:
    """Return the answer to a change that does not come from a page of ours."""
    return web.HTTPForbidden(
        text="This page was open for too long, or did not come from here. Go back, load it again "
        "and repeat what you did."
    )


def middlewares(store: Store, rules: SecurityRules, page: Page) -> list[Middleware]:
    """Return what every request passes; `page` draws what is said instead of an answer."""

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as ended:
            if ended.status < 400:
                raise
            return page(request, "said.html", status=ended.status, said=_said(ended))
        except BatchlockError as error:
            return page(request, "said.html", status=409, said=str(error))
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            if request.writer.output_size > 0:
                raise  # a part of the answer is out, so nothing can be said any more
            reference = secrets.token_hex(4)
            _log.exception("unexpected error %s at %s %s", reference, request.method, request.path)
            said = f"Something unexpected went wrong. Tell your administrator: {reference}."
            return page(request, "said.html", status=500, said=said)

    @web.middleware
    async def ours(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _name_in(request.headers.get("Host", "")) not in rules.hosts:
            request[COOKIE], request[NAME] = new_cookie(), ""
            raise web.HTTPMisdirectedRequest(
                text="The page is not known by this name. Whoever runs it can add the name to "
                "web.hosts in the configuration."
            )
        return await handler(request)

    @web.middleware
    async def known(request: web.Request, handler: Handler) -> web.StreamResponse:
        cookie = request.cookies.get(rules.cookie, "")
        name = store.session(key_of(cookie), longest=rules.session) if cookie else None
        request[COOKIE], request[NAME] = cookie or new_cookie(), name or ""
        wanted = request.match_info.handler
        if name is None and not hasattr(wanted, "open_to_all"):
            if request.method in _CHANGES_NOTHING:
                raise web.HTTPSeeOther("/login")
            raise web.HTTPUnauthorized(text="You are signed out. Sign in again, then repeat this.")
        response = await handler(request)
        if not cookie and not response.prepared and rules.cookie not in response.cookies:
            keep_cookie(response, request, rules, request[COOKIE])
        return response

    @web.middleware
    async def meant(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in _CHANGES_NOTHING:
            site = request.headers.get("Sec-Fetch-Site", "same-origin")
            origin = request.headers.get("Origin")
            if site not in ("same-origin", "none") or (
                origin is not None and _name_in(urlsplit(origin).netloc) not in rules.hosts
            ):
                raise refuse_change()
            if not hasattr(request.match_info.handler, "checks_itself"):
                if request.content_type != "application/x-www-form-urlencoded":
                    raise web.HTTPUnsupportedMediaType(text="This takes a form only.")
                if not csrf_fits(request, (await form_of(request)).get("csrf")):
                    raise refuse_change()
        return await handler(request)

    return [answered, ours, known, meant]


async def form_of(request: web.Request) -> Mapping[str, object]:
    """Return the form of a request, which may be malformed."""
    try:
        return await request.post()
    except (ValueError, LookupError):
        raise web.HTTPBadRequest from None


def _last_of(request: web.Request, header: str) -> str:
    """Return the last item of a header that may be there several times."""
    return ",".join(request.headers.getall(header, [])).split(",")[-1].strip()


async def dress(_: web.Request, response: web.StreamResponse) -> None:
    """Give an answer the headers that all have."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.popall("Server", None)


def _name_in(host: str) -> str:
    """Return the name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _said(ended: web.HTTPException) -> str:
    """Return what a person is told of an HTTP error: our own sentence, or one for the status."""
    standard = f"{ended.status}: {ended.reason}"
    if ended.text and ended.text != standard:
        return ended.text
    return _SENTENCES.get(ended.status, f"That cannot be done ({standard}).")


_SENTENCES = {
    400: "That request makes no sense.",
    404: "There is nothing here. It may have been removed.",
    405: "That cannot be done here.",
    413: "That is too large.",
}
