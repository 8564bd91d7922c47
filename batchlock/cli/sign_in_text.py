"""Say in words how a sign-in stands."""

from batchlock.sign_in_status import SignInStatus
from batchlock.zoho.scopes import ScopeUse
from batchlock.zoho.settings import Grant

GRANT_WORDS = {
    Grant.REFRESH_TOKEN: "refresh token",
    Grant.CLIENT_CREDENTIALS: "client credentials, a new access token each hour",
}


def identity_words(status: SignInStatus) -> str:
    """Return who has signed in to which org, as far as Zoho says so."""
    user = f"{status.user}, " if status.user else ""
    return f"{user}{org_words(status)}"


def org_words(status: SignInStatus) -> str:
    """Return company, number, environment and edition of the org, as far as Zoho says so."""
    company = status.company_name or "an org that Zoho does not name"
    number = f" ({status.organization_id})" if status.organization_id else ""
    kind = status.org_type or status.environment
    return ", ".join(filter(None, (f"{company}{number}", kind, status.edition)))


def scope_warnings(status: SignInStatus) -> list[str]:
    """Return a line for each scope that a command needs and the sign-in lacks."""
    return [scope_words(use) for use in status.missing_scopes if use.commands]


def scope_words(use: ScopeUse) -> str:
    """Return what does not work without a scope."""
    commands = ", ".join(f"`batchlock {command}`" for command in use.commands)
    needed = f" (needed by {commands})" if commands else ""
    return f"The sign-in lacks the scope {use.scope}{needed}: without it, {use.effect}."
