"""Which orgs the page serves, and the settings of each."""

import time
from collections.abc import Sequence
from dataclasses import replace

from batchlock.config import Settings
from batchlock.core.options import RunOptions
from batchlock.store.store import Store
from batchlock.zoho.settings import SIMULATOR

# A stored org is changed seldom, and a page reads its settings several times.
_LIFETIME_SECONDS = 5.0


class ServedOrgs:
    """The orgs of one server: the one of the configuration, and those in the store."""

    def __init__(self, settings: Settings, options: RunOptions, store: Store) -> None:
        """Serve only the simulator when the options say so."""
        self._settings = settings
        self._store = store
        self._is_rehearsal = options.simulate
        self._config = options.config
        self._org_option = options.org
        self._by_name: dict[str, tuple[float, Settings]] = {}

    def names(self) -> Sequence[str]:
        """Return the names of all served orgs in the order of the alphabet."""
        if self._is_rehearsal:
            return (SIMULATOR,)
        return (self._settings.org,)

    @property
    def main(self) -> str:
        """The org of the configuration, whose name the server has for itself."""
        return SIMULATOR if self._is_rehearsal else self._settings.org

    def only(self) -> str | None:
        """Return the org when the page serves only one."""
        names = self.names()
        return names[0] if len(names) == 1 else None

    def command_options(self, org: str) -> Sequence[str]:
        """Return the options of the command line for commands about an org."""
        config = () if self._config is None else ("--config", str(self._config.absolute()))
        is_of_configuration = self._org_option is None and org == self._settings.org
        return config if is_of_configuration or org == SIMULATOR else (*config, "--org", org)

    def settings_of(self, org: str) -> Settings:
        """Return the settings of a served org, at most a few seconds old."""
        now = time.monotonic()
        read_at, settings = self._by_name.get(org, (float("-inf"), self._settings))
        if now - read_at > _LIFETIME_SECONDS:
            settings = self._read(org)
            self._by_name[org] = (now, settings)
        return settings

    def _read(self, org: str) -> Settings:
        return replace(self._settings, org=org) if org != SIMULATOR else self._settings
