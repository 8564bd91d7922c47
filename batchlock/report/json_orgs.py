"""The JSON object of `batchlock orgs list`."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from batchlock.core.org import OrgFacts, StoredOrg


class OrgJson(TypedDict):
    """One org, without its secrets."""

    name: str
    data_center: str
    environment: str
    api_url: str | None
    accounts_url: str | None
    grant: str
    """`refresh_token` or `client_credentials`."""
    disabled: bool
    added_at: str | None
    organization: str | None
    """The name of the company; null when Zoho has not said so, as each of the next ones."""
    organization_id: str | None
    edition: str | None
    users: int | None
    in_flight_cap: int | None
    day_credits: int | None
    credits_left: int | None
    credits_at: str | None


class OrgsJson(TypedDict):
    """The orgs in the store."""

    orgs: list[OrgJson]
    exit_code: int
    message: str


def orgs_json(
    orgs: Sequence[StoredOrg], *, exit_code: int = 0, message: str | None = None
) -> OrgsJson:
    """Return the object for a list of orgs, or for the error that ended the command."""
    if message is None:
        message = f"{len(orgs)} org{'' if len(orgs) == 1 else 's'}"
    return OrgsJson(orgs=[_org_json(org) for org in orgs], exit_code=exit_code, message=message)


def _org_json(org: StoredOrg) -> OrgJson:
    facts = org.facts or OrgFacts()
    return OrgJson(
        name=org.name,
        data_center=org.data_center,
        environment=org.environment,
        api_url=org.api_url,
        accounts_url=org.accounts_url,
        grant=org.grant,
        disabled=org.disabled,
        added_at=_time(org.added_at),
        organization=facts.company_name or None,
        organization_id=facts.org_id or None,
        edition=facts.edition or None,
        users=facts.users,
        in_flight_cap=facts.in_flight_cap,
        day_credits=facts.day_credits,
        credits_left=org.credits_left,
        credits_at=_time(org.credits_at),
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
