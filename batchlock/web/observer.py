"""The events of the page that are counted, and the middleware that reports the requests."""

import time
from collections.abc import Callable
from enum import StrEnum

from aiohttp import web
from aiohttp.typedefs import Middleware

from batchlock.web.security import Handler


class SignInRefusal(StrEnum):
    """Why a sign-in was refused."""

    PASSWORD = "password"  # noqa: S105  a label, not a password
    """Name or password is not right."""
    THROTTLE = "throttle"
    """Too many wrong passwords came before."""
    BUSY = "busy"
    """Too many sign-ins were being checked."""
    LINK = "link"
    """The link is not valid, or was used before."""
    PROVIDER = "provider"
    """A sign-in with OpenID Connect failed."""


class PageObserver:
    """Receives what happens on the page, and does nothing with it."""

    def follow(self, *, uploads_being_read: Callable[[], int]) -> None:
        """Call this function whenever the number of uploads is needed."""

    def on_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answered request, and how long the answer took.

        `route` is the template of the path. Method and route are empty where no route fits, since
        anybody can invent any number of methods and paths.
        """

    def on_sign_in_refused(self, refusal: SignInRefusal) -> None:
        """Note a sign-in that was refused."""


def observed(observer: PageObserver) -> Middleware:
    """Return the middleware that reports each answered request to an observer."""

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        started_monotonic = time.monotonic()
        try:
            response = await handler(request)
        except web.HTTPException as redirect:
            _report(observer, request, redirect, started_monotonic)
            raise
        _report(observer, request, response, started_monotonic)
        return response

    return observe


def _report(
    observer: PageObserver,
    request: web.Request,
    response: web.StreamResponse,
    started_monotonic: float,
) -> None:
    resource = request.match_info.route.resource
    method, route = ("", "") if resource is None else (request.method, resource.canonical)
    observer.on_request(method, route, response.status, time.monotonic() - started_monotonic)
