"""The settings of one of several orgs, from the store.

configuration and environment ─▶ settings of the org in the store, its secrets ─▶ options typed

The settings of an org in the store replace those of the configuration. Of the section `zoho` all
are replaced, since the address and the sign-in of another org must never be mixed with its own.
"""

import difflib
import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.config import Settings, replaced
from batchlock.core.errors import UsageError
from batchlock.store.sealing import SealingKeys, UnknownKey, find_keys, make_key_file, require_keys
from batchlock.store.settings import SecretsSettings
from batchlock.zoho.settings import ZohoSettings

if TYPE_CHECKING:
    from pydantic import SecretStr

    from batchlock.store.store import Store

# So many of the known names are in the message about an unknown one.
_NAMES_SHOWN = 10


def settings_of_org(
    settings: Settings, store: "Store", name: str, *, to_send: bool = True
) -> Settings:
    """Return the settings for an org of the store, or for the one of the configuration itself.

    Without `to_send` they have no secrets, and may be those of a disabled org. Raises UsageError
    for an unknown or disabled org, and for secrets that cannot be opened.
    """
    stored = store.orgs.get(name)
    if stored is None:
        if name == settings.org:
            return settings
        known = [org.name for org in store.orgs.all()]
        names = _nearest_first(name, [*known, settings.org])
        raise UsageError(
            f"There is no org {name}. Known are {names}. Name one of them, or add it with "
            f"`batchlock orgs add {name}`."
        )
    if stored.disabled and to_send:
        raise UsageError(
            f"The org {name} is disabled, so nothing is sent to it. Allow it again with "
            f"`batchlock orgs enable {name}`."
        )
    values = stored.configuration
    if to_send:
        secrets = _secrets(settings, store, name)
        values |= {("zoho", field): secret for field, secret in secrets.items()}
        # It is no SecretStr, unlike the others.
        if (client_id := secrets.get("client_id")) is not None:
            values["zoho", "client_id"] = client_id.get_secret_value()
    return replaced(replace(settings, zoho=ZohoSettings()), values, source=f"The org {name}")


def sealing_keys(settings: Settings, store: "Store") -> SealingKeys | None:
    """Return the keys of the settings, which are read once; None without any. Raises UsageError."""
    return _read_keys(settings.secrets, store.state, is_shared=store.database_url is not None)


def keys_for_new_secrets(settings: Settings, store: "Store") -> SealingKeys:
    """Return the keys to seal a secret; with a store of this machine a missing one is made.

    Raises UsageError. A key that is gone while there are secrets is not replaced.
    """
    is_shared = store.database_url is not None
    if not is_shared and sealing_keys(settings, store) is None and not store.orgs.has_secrets():
        make_key_file(store.state)
    _read_keys.cache_clear()
    return require_keys(settings.secrets, store.state, is_shared=is_shared)


def _secrets(settings: Settings, store: "Store", name: str) -> "dict[str, SecretStr]":
    keys = sealing_keys(settings, store)
    is_shared = store.database_url is not None
    if keys is None:
        keys = require_keys(settings.secrets, store.state, is_shared=is_shared)
    try:
        return store.orgs.secrets(name, keys)
    except UnknownKey:
        # The keys may have been changed while this process runs.
        _read_keys.cache_clear()
        keys = require_keys(settings.secrets, store.state, is_shared=is_shared)
        return store.orgs.secrets(name, keys)


@functools.lru_cache(maxsize=1)
def _read_keys(settings: SecretsSettings, state: Path, *, is_shared: bool) -> SealingKeys | None:
    # A worker needs them for each of its orgs, and a command of a vault takes its time.
    return find_keys(settings, state, is_shared=is_shared)


def _nearest_first(name: str, known: list[str]) -> str:
    """Return the names that are most like `name`, as they stand in a message."""
    names = sorted(
        dict.fromkeys(known),
        key=lambda one: -difflib.SequenceMatcher(None, name.casefold(), one.casefold()).ratio(),
    )
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
