"""The editions of Zoho CRM, and their limits.

From Zoho's page on API limits. That `crmplusstarter` has the limits of Standard, and
`zohoonestandard` those of Enterprise, is an assumption.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Edition(StrEnum):
    """`license_details.paid_type` of an org."""

    FREE = "free"
    STANDARD = "standard"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"
    ULTIMATE = "ultimate"
    CRM_PLUS = "crmplus"
    CRM_PLUS_STARTER = "crmplusstarter"
    ZOHO_ONE_ENTERPRISE = "zohooneenterprise"
    ZOHO_ONE_STANDARD = "zohoonestandard"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an edition allows."""

    in_flight: int
    """Calls in flight at once."""
    credits: int
    """Credits of a day without any user."""
    credits_per_user: int = 0
    most_credits: int | None = None
    """Credits of a day with any number of users; None: no such limit."""

    def credits_of(self, users: int) -> int:
        """Return the credits of a day."""
        total = self.credits + self.credits_per_user * users
        return total if self.most_credits is None else min(total, self.most_credits)


_STANDARD = Limits(10, 50_000, 250, 100_000)
_ENTERPRISE = Limits(20, 50_000, 1_000, 5_000_000)
_ULTIMATE = Limits(25, 50_000, 2_000)
LIMITS: Mapping[Edition, Limits] = {
    Edition.FREE: Limits(5, 5_000),
    Edition.STANDARD: _STANDARD,
    Edition.PROFESSIONAL: Limits(15, 50_000, 500, 3_000_000),
    Edition.ENTERPRISE: _ENTERPRISE,
    Edition.ULTIMATE: _ULTIMATE,
    Edition.CRM_PLUS: _ULTIMATE,
    Edition.CRM_PLUS_STARTER: _STANDARD,
    Edition.ZOHO_ONE_ENTERPRISE: _ENTERPRISE,
    Edition.ZOHO_ONE_STANDARD: _ENTERPRISE,
}
