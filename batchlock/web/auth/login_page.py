"""The sign-in page: a button for the provider of a company, a form for a password, or both."""

from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.auth.guard import MAX_NAME
from batchlock.web.oidc.client import OidcClient
from batchlock.web.oidc.settings import DEFAULT_LABEL, OidcSettings
from batchlock.web.templating import Page, Templates
from batchlock.web.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage(Page):
    """The ways to sign in."""

    template: ClassVar[str] = "login.html"
    message: str
    """Why the last attempt failed; empty before the first."""
    has_passwords: bool
    """Whether anybody may sign in by a password."""
    oidc_label: str
    """Of the button for the provider; empty without one. Without both there is only the link."""
    entered_name: str
    next_path: str
    """The path of the page that was requested without a session."""
    is_signed_out: bool
    """Whether the person has just signed out of this page, and not of the provider."""
    logout_url: str
    """Where people sign out of the provider; empty if there is no such address."""


def _label(settings: OidcSettings) -> str:
    """Return the label of the button for the provider; one that was set is in its own language."""
    return _(DEFAULT_LABEL) if settings.label == DEFAULT_LABEL else settings.label


class LoginForm:
    """Renders the sign-in page."""

    def __init__(
        self,
        store: Store,
        templates: Templates,
        rules: security.SecurityRules,
        *,
        passwords: bool,
        oidc: OidcClient | None,
    ) -> None:
        """Offer passwords and a provider, as the settings have it."""
        self._store = store
        self._templates = templates
        self._rules = rules
        self.passwords = passwords
        self.oidc = oidc

    def render(
        self,
        request: web.Request,
        message: str = "",
        *,
        status: int = 200,
        name: str = "",
        next_path: str,
        is_wrong_account: bool = False,
    ) -> web.Response:
        """Return the page, with the reason why the last attempt failed.

        Who came with a wrong account of the provider can sign out there.
        """
        is_signed_out = self.oidc is not None and "signed-out" in request.query
        page = LoginPage(
            message=message,
            has_passwords=self.passwords and bool(self._store.people.names()),
            oidc_label="" if self.oidc is None else _label(self.oidc.settings),
            entered_name=name[:MAX_NAME],
            next_path=security.local_path(next_path),
            is_signed_out=is_signed_out,
            logout_url=self._logout_url(request) if is_signed_out or is_wrong_account else "",
        )
        return self._templates.render_page(request, page, status=status)

    def _logout_url(self, request: web.Request) -> str:
        base = security.base_url(request, self._rules)
        return "" if self.oidc is None else self.oidc.logout_url(f"{base}/login")
