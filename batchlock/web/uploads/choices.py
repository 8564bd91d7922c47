"""The page of the remembered choices: list them, forget one, agree one for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.store.choices import FOR_ALL, Choice
from batchlock.store.grants import Right
from batchlock.web import security
from batchlock.web.context import AppContext
from batchlock.web.templating import Page
from batchlock.web.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoicesPage(Page):
    """The page of the choices of a person, and of those that hold for all."""

    template: ClassVar[str] = "choices.html"
    choices: Sequence[Choice]
    may_agree: bool
    """Whether the person may change what holds for all."""


class ChoiceViews:
    """The handlers of the remembered choices."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def show(self, request: web.Request) -> web.Response:
        """List the choices."""
        person = request[security.NAME]
        page = ChoicesPage(
            choices=self._context.store.choices.of(person), may_agree=self._may_agree(person)
        )
        return self._context.templates.render_page(request, page)

    async def remove(self, request: web.Request) -> web.Response:
        """Forget a choice of the person, or one that holds for all."""
        form = await security.form_of(request)
        person, key = request[security.NAME], str(form.get("titles", ""))
        if form.get("for") == "all":
            self._require_administrator(person)
            person = FOR_ALL
        if self._context.store.choices.remove(key, person):
            self._context.log(request, "forgot a choice", f"for {person or 'all'}: {key[:200]}")
        raise web.HTTPSeeOther(f"{self._context.home}/choices")

    async def agree(self, request: web.Request) -> web.Response:
        """Let a choice of the person hold for all."""
        form = await security.form_of(request)
        person, key = request[security.NAME], str(form.get("titles", ""))
        self._require_administrator(person)
        if self._context.store.choices.agree(key, person):
            self._context.log(request, "agreed a choice for all", key[:200])
        raise web.HTTPSeeOther(f"{self._context.home}/choices")

    def _may_agree(self, person: str) -> bool:
        """Return whether a person is administrator of every org: a choice names no org."""
        access = self._context.store.grants.access(person)
        names = self._context.served_orgs.names()
        return all(access.may(Right.ADMINISTER, org) for org in names)

    def _require_administrator(self, person: str) -> None:
        if not self._may_agree(person):
            raise web.HTTPForbidden(
                text=_("Only an administrator of all orgs may change what is proposed to all.")
            )
