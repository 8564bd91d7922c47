"""What Zoho says about an org (edition, limits, names of modules), and what a person has said."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

# An edition, a number of users and the labels of modules change seldom, and each question costs
# two credits.
_LIFETIME = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgModule:
    """A module whose records can be locked, with its names."""

    api_name: str
    """The name in the addresses of the API: `Deals`, `Site_Visits`."""
    module_name: str = ""
    """The name in the addresses of records: `Potentials`, `CustomModule2`."""
    singular_label: str = ""
    """The name of one record as people of the org see it, in their language."""
    plural_label: str = ""
    actual_singular_label: str = ""
    """The label before it was translated."""
    actual_plural_label: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are not empty."""
        labels = (
            *(self.singular_label, self.plural_label),
            *(self.actual_singular_label, self.actual_plural_label),
        )
        return tuple(label for label in labels if label)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgFacts:
    """What Zoho has said about the org of a sign-in."""

    org_id: str = ""
    """The id in the CRM; empty when Zoho does not say, as every text here."""
    zgid: str = ""
    """The id of the same org in all products of Zoho."""
    company_name: str = ""
    org_type: str = ""
    """`production`, `sandbox`, `developer` or another word of Zoho's."""
    edition: str = ""
    """Zoho's word for what was bought, such as `enterprise`."""
    users: int | None = None
    """The number of users that were bought."""
    in_flight_cap: int | None = None
    """How many calls the edition allows at once; None for an edition that is not known."""
    day_credits: int | None = None
    """About how many credits the org has in a day; None if that cannot be computed."""
    modules: tuple[OrgModule, ...] | None = None
    """The modules that can be locked; None when Zoho was not asked or did not say."""
    asked_at: datetime | None = None
    """When Zoho said so, UTC; the modules have a time of their own."""
    modules_asked_at: datetime | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the org; a person may have copied either."""
        return tuple(id_ for id_ in (self.org_id, self.zgid) if id_)

    def is_fresh(self, now: datetime) -> bool:
        """Whether Zoho need not be asked about the org at `now`; see `has_fresh_modules`."""
        return _is_fresh(self.asked_at, now)

    def has_fresh_modules(self, now: datetime) -> bool:
        """Whether Zoho need not be asked about the modules at `now`."""
        return _is_fresh(self.modules_asked_at, now)

    def to_json(self) -> dict[str, Any]:
        """Return the facts as the store keeps them."""
        times = {name: getattr(self, name) for name in _TIMES}
        texts = {name: None if time is None else time.isoformat() for name, time in times.items()}
        return {**asdict(self), **texts}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the facts that the store has kept.

        Raises KeyError, TypeError or ValueError when a field is missing or unknown.
        """
        modules = values["modules"]
        texts = {name: values[name] for name in _TIMES}
        return cls(
            **{
                **values,
                "modules": None if modules is None else tuple(OrgModule(**one) for one in modules),
                **{
                    name: None if text is None else datetime.fromisoformat(text)
                    for name, text in texts.items()
                },
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrg:
    """An org that a person has added to the store, without its secrets."""

    name: str
    data_center: str
    environment: str
    api_url: str | None = None
    """None: that of the data centre, as for `accounts_url`."""
    accounts_url: str | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Other settings of the org, by section and key, as they stand in a configuration."""
    disabled: bool = False
    added_at: datetime | None = None
    """None before it is stored."""
    facts: OrgFacts | None = None
    """What Zoho has said last about it; None before it has."""
    credits_left: int | None = None
    """The credits that were left of its day at `credits_at`; None when Zoho has not said so."""
    credits_at: datetime | None = None

    @property
    def grant(self) -> str:
        """How access tokens are obtained: the value of `zoho.grant`."""
        return str(self.settings.get("zoho", {}).get("grant", "refresh_token"))

    @property
    def configuration(self) -> dict[tuple[str, ...], Any]:
        """The settings of the org by their path, such as `("zoho", "data_center")`."""
        values: dict[tuple[str, ...], Any] = {("org",): self.name}
        for name in ("data_center", "environment", "api_url", "accounts_url"):
            values["zoho", name] = getattr(self, name)
        for section, settings in self.settings.items():
            values |= {(section, name): value for name, value in settings.items()}
        return values


_TIMES = ("asked_at", "modules_asked_at")


def _is_fresh(asked_at: datetime | None, now: datetime) -> bool:
    # A negative age: the clock of the machine was put back, so the age means nothing.
    return asked_at is not None and timedelta(0) <= now - asked_at < _LIFETIME
