"""Why a sign-in with OpenID Connect failed."""

from enum import Enum

from batchlock.web.translation import N_
from batchlock.web.translation import gettext as _


class Failure(Enum):
    """What a person reads after a sign-in that failed, and the status of that page."""

    UNREACHABLE = (
        503,
        N_(
            "The sign-in of your company does not answer. Try again in a few minutes. If that does "
            "not help, tell whoever runs batchlock."
        ),
    )
    UNUSABLE = (
        502,
        N_(
            "The sign-in of your company has answered in a way that batchlock cannot accept. Tell "
            "whoever runs batchlock; the reason is in its log."
        ),
    )
    STALE = 400, N_("This sign-in is too old, or was used already. Sign in again.")
    DENIED = (
        403,
        N_(
            "The sign-in was cancelled, or your company does not let you in. Sign in again, or ask "
            "whoever gives out accounts there."
        ),
    )
    NO_GROUP = (
        403,
        N_(
            "Your company knows you, but none of your groups may use this page. Ask whoever runs "
            "batchlock which group you need."
        ),
    )
    BUSY = 429, N_("Too many sign-ins are being checked. Try again in a few seconds.")

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self._message = message

    @property
    def sentence(self) -> str:
        """What the person reads."""
        return _(self._message)


class SignInFailedError(Exception):
    """A sign-in failed. The text is for the log: it holds no code, token or secret."""

    def __init__(self, failure: Failure, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure


def unusable(reason: str) -> SignInFailedError:
    """Return the error for an answer of the provider that cannot be accepted."""
    return SignInFailedError(Failure.UNUSABLE, reason)
