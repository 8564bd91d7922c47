"""How the sign-in of an org stands: whether it works, whose it is, and what it lacks.

settings ─ access token, GET /org, GET /users ─▶ SignInStatus

Everything is what Zoho has answered; what it does not say is not known. Nothing is changed in Zoho.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, SignInRefused
from batchlock.core.org import OrgFacts
from batchlock.core.stop import Cancelled
from batchlock.org_sign_in import RECENT_SECONDS, SignInCheck, check_sign_in
from batchlock.zoho.scopes import (
    ScopeUse,
    allows_records,
    granted_scopes,
    missing_scopes,
    uses_of,
)
from batchlock.zoho.settings import Grant

if TYPE_CHECKING:
    from batchlock.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInStatus:
    """How the sign-in of an org stands. A text is empty when Zoho does not say it."""

    name: str
    """The name of the org in batchlock."""
    grant: Grant
    data_center: str
    environment: str
    """`zoho.environment`: what the sign-in is expected to be for."""
    works: bool
    """Whether Zoho has granted an access token and answered a call with it."""
    message: str = ""
    """Why the sign-in does not work, or what a person should do about it."""
    exit_code: int = 0
    """0; 5 when a person must act; 2 for a wrong setting; 6 when Zoho gives no answer for now."""
    user: str = ""
    """The name of the user who has signed in."""
    organization_id: str = ""
    """The number of the org, as `zoho.organization_id` takes it."""
    company_name: str = ""
    org_type: str = ""
    """Zoho's word for the environment, such as `production`."""
    edition: str = ""
    granted_scopes: tuple[str, ...] | None = None
    """None when Zoho has not named them."""
    missing_scopes: tuple[ScopeUse, ...] = ()
    """Scopes that batchlock asks for and that this sign-in lacks, with what needs them."""
    is_pinned: bool = False
    """Whether `zoho.organization_id` is set, so that nothing is sent to another org."""


async def sign_in_status(
    settings: Settings,
    store: "Store | None",
    cancel_token: CancelToken,
    *,
    is_trial: bool = False,
    max_age_seconds: float = RECENT_SECONDS,
) -> SignInStatus:
    """Return how the sign-in of the org of the settings stands; an error is a part of it.

    The arguments are those of `check_sign_in`. Raises Cancelled.
    """
    try:
        check = await check_sign_in(
            settings, store, cancel_token, is_trial=is_trial, max_age_seconds=max_age_seconds
        )
    except Cancelled:
        raise
    except BatchlockError as error:
        return _status(settings, None, str(error), error.exit_code)
    return status_of(settings, check)


def status_of(settings: Settings, check: SignInCheck) -> SignInStatus:
    """Return what a check of the sign-in has shown."""
    if not allows_records(check.scopes):
        return _status(
            settings,
            check,
            "The sign-in has no scope for records, so no lock can be read or changed. Sign in "
            "again with `batchlock login`, which asks for all scopes.",
            SignInRefused.exit_code,
        )
    return _status(settings, check, check.message, check.exit_code)


def _status(
    settings: Settings, check: SignInCheck | None, message: str, exit_code: int
) -> SignInStatus:
    zoho = settings.zoho
    scopes = "" if check is None else check.scopes
    facts = (check and check.facts) or OrgFacts()
    return SignInStatus(
        name=settings.org,
        grant=zoho.grant,
        data_center=zoho.data_center,
        environment=zoho.environment,
        works=check is not None,
        message=message,
        exit_code=exit_code,
        user="" if check is None else check.user,
        organization_id=facts.zgid or facts.org_id,
        company_name=facts.company_name,
        org_type=facts.org_type,
        edition=facts.edition,
        granted_scopes=granted_scopes(scopes) or None,
        missing_scopes=uses_of(missing_scopes(scopes)),
        is_pinned=zoho.organization_id is not None,
    )
