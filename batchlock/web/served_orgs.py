"""Which orgs the page serves, and the settings of each."""

import time
from collections.abc import Collection, Mapping, Sequence

from batchlock.config import Settings
from batchlock.core.options import RunOptions
from batchlock.core.org import StoredOrg
from batchlock.org_settings import settings_of_org
from batchlock.store.store import Store
from batchlock.web.templating import OrgLabel
from batchlock.zoho.connect import address
from batchlock.zoho.settings import SIMULATOR, ZohoSettings

# A stored org is changed seldom, and each request asks for the orgs several times.
_LIFETIME_SECONDS = 5.0


class ServedOrgs:
    """The orgs of one server: those of the store, and the one of the configuration."""

    def __init__(self, settings: Settings, options: RunOptions, store: Store) -> None:
        """Serve only one org when the options name it, or only the simulator."""
        self._settings = settings
        self._options = options
        self._store = store
        self._read_at_monotonic = float("-inf")
        self._stored: Mapping[str, StoredOrg] = {}
        self._with_secrets: Collection[str] = ()
        self._by_org: dict[str, Settings] = {}

    @property
    def main(self) -> str:
        """The org of the configuration or of the option --org."""
        return SIMULATOR if self._options.simulate else self._options.org or self._settings.org

    def names(self) -> Sequence[str]:
        """Return the names of all served orgs in the order of the alphabet."""
        if self._options.simulate or self._options.org is not None:
            return (self.main,)
        names = set(self._fresh())
        # Without a sign-in it is only the default of the setting, unless there is no other org.
        if not names or _has_sign_in(self._settings.zoho):
            names.add(self._settings.org)
        return sorted(names, key=lambda name: (name.casefold(), name))

    def only(self) -> str | None:
        """Return the org when the page serves only one."""
        names = self.names()
        return names[0] if len(names) == 1 else None

    def label(self, org: str) -> OrgLabel:
        """Return what every page of a served org says about it."""
        zoho = self._zoho(org)
        environment, api = address(zoho, org)
        data_center = "" if org == SIMULATOR else zoho.data_center.upper()
        return OrgLabel(name=org, environment=environment, api=api, data_center=data_center)

    def forget(self) -> None:
        """Read the orgs again at the next request, since one was changed here."""
        self._read_at_monotonic = float("-inf")

    def has_sign_in(self, org: str) -> bool:
        """Return whether there is a sign-in to an org; it need not work."""
        if org == SIMULATOR:
            return True
        if org in self._fresh():
            return org in self._with_secrets
        return _has_sign_in(self._settings.zoho)

    def can_connect(self, org: str) -> bool:
        """Return whether the page may store a sign-in to an org.

        That of the configuration would go on to be used by commands, so it is changed there only.
        """
        return org != SIMULATOR and (org in self._fresh() or not _has_sign_in(self._settings.zoho))

    def is_disabled(self, org: str) -> bool:
        """Return whether nothing may be sent to a served org."""
        stored = self._fresh().get(org)
        return stored is not None and stored.disabled

    def command_options(self, org: str) -> Sequence[str]:
        """Return the options of the command line for a command about a served org."""
        options: list[str] = []
        if self._options.config is not None:
            options += ["--config", str(self._options.config.absolute())]
        if org in self._fresh():
            options += ["--org", org]
        return options

    def settings_of(self, org: str) -> Settings:
        """Return the settings of a served org without its secrets, at most a few seconds old."""
        stored = self._fresh()
        if org not in self._by_org:
            self._by_org[org] = (
                settings_of_org(self._settings, self._store, org, to_send=False)
                if org in stored
                else self._settings
            )
        return self._by_org[org]

    def sending_settings(self, org: str) -> Settings:
        """Return the settings of a served org with its secrets.

        Raises UsageError when the org is disabled, or when the secrets cannot be opened.
        """
        if org in self._fresh():
            return settings_of_org(self._settings, self._store, org)
        return self._settings

    def _zoho(self, org: str) -> ZohoSettings:
        stored = self._fresh().get(org)
        if stored is None:
            return self._settings.zoho
        # Of many orgs at a time, so not by `settings_of`, which validates all settings.
        return ZohoSettings(
            data_center=stored.data_center,
            environment=stored.environment,
            api_url=stored.api_url,
            accounts_url=stored.accounts_url,
        )

    def _fresh(self) -> Mapping[str, StoredOrg]:
        """Return the stored orgs by name, read again when they are too old."""
        if self._options.simulate:
            return {}
        now = time.monotonic()
        if now - self._read_at_monotonic > _LIFETIME_SECONDS:
            self._stored = {org.name: org for org in self._store.orgs.all()}
            self._with_secrets = self._store.orgs.with_secrets()
            self._by_org = {}
            self._read_at_monotonic = now
        return self._stored


def _has_sign_in(zoho: ZohoSettings) -> bool:
    return any((zoho.client_id, zoho.client_id_file, zoho.client_id_command))
