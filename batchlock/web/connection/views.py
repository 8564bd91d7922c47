"""The page that shows the connection of an org, and makes a new sign-in to it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar

from aiohttp import web

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.org import OrgFacts
from batchlock.org_sign_in import SignInCheck, check_sign_in
from batchlock.web import security
from batchlock.web.connection.sign_in import SignIn, SignInFlow
from batchlock.web.context import AppContext
from batchlock.web.templating import FRAME, Page
from batchlock.web.translation import gettext as _
from batchlock.zoho.datacenters import DATA_CENTERS, ENVIRONMENTS
from batchlock.zoho.settings import SIMULATOR, ZohoSettings

# Zoho's client ids and secrets have about 45 characters.
_MAX_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPage(Page):
    """The page of the connection of an org."""

    template: ClassVar[str] = "connection.html"
    facts: OrgFacts | None
    """What Zoho has said last; None when it was never asked."""
    has_sign_in: bool
    can_connect: bool
    """Whether the page can store a sign-in of this org."""
    sign_in: SignIn | None
    """The sign-in that is being made."""
    console_url: str
    data_center: str
    environment: str
    can_choose: bool
    """Whether a person may choose data centre and environment."""
    data_centers: Sequence[str] = tuple(DATA_CENTERS)
    environments: Sequence[str] = ENVIRONMENTS
    message: str = ""
    user: str = ""
    """Who has signed in, if that was just asked."""
    is_checked: bool = False


class ConnectionViews:
    """The handlers of the page Connection."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._flow = SignInFlow(context.org, context.store)

    async def show(self, request: web.Request) -> web.Response:
        """Show the connection; of a sign-in that is being made, ask whether it was accepted."""
        if self._context.org == SIMULATOR:
            return self._page(request, None)
        message, sign_in = "", self._current()
        if sign_in is not None and request[FRAME].may_administer:
            try:
                # The answer comes once, so it must not be lost when the browser is closed.
                sign_in = await asyncio.shield(
                    self._flow.poll(self._context.settings, sign_in, at_once=False)
                )
            except BatchlockError as error:
                message = str(error)
        return self._page(request, sign_in, message)

    async def ask(self, request: web.Request) -> web.Response:
        """Ask at once whether the code was accepted."""
        if (sign_in := self._current()) is not None:
            try:
                await asyncio.shield(self._flow.poll(self._context.settings, sign_in, at_once=True))
            except BatchlockError as error:
                return self._page(request, sign_in, str(error), status=error_status(error))
        raise web.HTTPSeeOther(request.path.rpartition("/")[0])

    async def begin(self, request: web.Request) -> web.Response:
        """Ask Zoho for a code."""
        self._refuse_unless_possible()
        form = await security.form_of(request)
        names = ("client_id", "client_secret")
        secrets = {name: str(form.get(name, "")).strip() for name in names}
        if not all(secrets.values()) or any(len(one) > _MAX_LENGTH for one in secrets.values()):
            message = _("Enter client id and client secret as the API console shows them.")
            return self._page(request, None, message, status=422)
        settings = self._context.settings
        try:
            await self._flow.begin(
                settings,
                _chosen(settings.zoho, form.get("data_center"), form.get("environment")),
                secrets,
                request[security.NAME],
            )
        except BatchlockError as error:
            return self._page(request, None, str(error), status=error_status(error))
        self._context.log(request, "began to connect", self._context.org)
        raise web.HTTPSeeOther(request.path.rpartition("/")[0])

    async def confirm(self, request: web.Request) -> web.Response:
        """Use the sign-in that was accepted and checked."""
        self._refuse_unless_possible()
        form = await security.form_of(request)
        sign_in = self._current()
        # What the person has seen must be what is stored: it may have been begun anew since.
        if sign_in is None or sign_in.is_waiting or form.get("user_code") != sign_in.user_code:
            raise web.HTTPConflict(text=_("This sign-in is over, or was begun anew. Look again."))
        if sign_in.problem:
            raise web.HTTPConflict(text=sign_in.problem)
        self._flow.confirm(self._context.settings, sign_in)
        self._context.served_orgs.forget()
        with suppress(BatchlockError):  # the page then says that Zoho was not asked yet
            await self._check()
        self._context.log(request, "connected", f"{self._context.org} to {sign_in.description}")
        raise web.HTTPSeeOther(request.path.rpartition("/")[0])

    async def cancel(self, request: web.Request) -> web.Response:
        """Forget the sign-in that is being made."""
        if self._flow.cancel():
            self._context.log(request, "did not connect", self._context.org)
        raise web.HTTPSeeOther(request.path.rpartition("/")[0])

    async def check(self, request: web.Request) -> web.Response:
        """Sign in to the org, and show what Zoho says about it."""
        try:
            check = await self._check()
        except BatchlockError as error:
            return self._page(request, self._current(), str(error), status=error_status(error))
        return self._page(
            request, self._current(), check.message, user=check.user, is_checked=not check.message
        )

    async def _check(self) -> SignInCheck:
        context = self._context
        settings = context.served_orgs.sending_settings(context.org)
        return await check_sign_in(settings, context.store, CancelToken())

    def _current(self) -> SignIn | None:
        return self._flow.current(self._context.settings)

    def _refuse_unless_possible(self) -> None:
        if not self._context.served_orgs.can_connect(self._context.org):
            raise web.HTTPConflict(
                text=_(
                    "The sign-in of this org is in the configuration file, and is changed there."
                )
            )

    def _page(
        self,
        request: web.Request,
        sign_in: SignIn | None,
        message: str = "",
        *,
        user: str = "",
        is_checked: bool = False,
        status: int = 200,
    ) -> web.Response:
        context = self._context
        zoho = context.settings.zoho
        page = ConnectionPage(
            facts=context.store.orgs.facts(context.org),
            has_sign_in=context.served_orgs.has_sign_in(context.org),
            can_connect=context.served_orgs.can_connect(context.org),
            sign_in=sign_in,
            console_url=DATA_CENTERS[zoho.data_center].console_url,
            data_center=zoho.data_center,
            environment=zoho.environment,
            can_choose=zoho.api_url is None and zoho.accounts_url is None,
            message=message,
            user=user,
            is_checked=is_checked,
        )
        return context.templates.render_page(request, page, status=status)


def error_status(error: BatchlockError) -> int:
    """Return the status of a page that shows an error."""
    return 422 if isinstance(error, UsageError) else 502


def _chosen(zoho: ZohoSettings, data_center: object, environment: object) -> ZohoSettings:
    """Return settings with a data centre and an environment that a form names."""
    if zoho.api_url is not None or zoho.accounts_url is not None:
        return zoho
    if data_center not in DATA_CENTERS or environment not in ENVIRONMENTS:
        raise web.HTTPBadRequest(text=_("Choose a data centre and an environment."))
    return replace(zoho, data_center=data_center, environment=environment)
