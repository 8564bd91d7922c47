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
from batchlock.core.org import StoredOrg
from batchlock.core.runs import STOP_AT
from batchlock.store.sealing import SealingKeys, UnknownKey, find_keys, make_key_file, require_keys
from batchlock.store.settings import SecretsSettings
from batchlock.zoho.settings import ZohoSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import SecretStr

    from batchlock.core.runs import Run
    from batchlock.store.store import Store

# So many of the known names are in the message about an unknown one.
_NAMES_SHOWN = 10


def settings_of_org(
    settings: Settings,
    store: "Store",
    name: str,
    *,
    to_send: bool = True,
    with_secrets: bool = True,
) -> Settings:
    """Return the settings for an org of the store, or for the one of the configuration itself.

    Without `to_send` they may be those of a disabled org, and have no secrets; `with_secrets` says
    whether they have some otherwise. Raises UsageError for an unknown or disabled org, and for
    secrets that cannot be opened.
    """
    stored = store.orgs.get(name)
    if stored is None:
        if name == settings.org:
            return settings
        raise unknown_org(name, [*(org.name for org in store.orgs.all()), settings.org])
    if stored.disabled and to_send:
        raise UsageError(
            f"The org {name} is disabled, so nothing is sent to it. Allow it again with "
            f"`batchlock orgs enable {name}`."
        )
    secrets = _secrets(settings, store, name) if to_send and with_secrets else {}
    return with_org(settings, stored, secrets)


def settings_with_sign_in(settings: Settings, store: "Store") -> Settings:
    """Return settings of an org with its secrets, also if it is disabled; others as they are.

    For commands that look at a sign-in or end it, and send nothing. Raises UsageError for secrets
    that cannot be opened.
    """
    stored = store.orgs.get(settings.org)
    if stored is None:
        return settings
    return with_org(settings, stored, _secrets(settings, store, stored.name))


def with_org(settings: Settings, org: StoredOrg, secrets: "Mapping[str, SecretStr]") -> Settings:
    """Return settings with those of an org and its secrets in their places. Raises UsageError."""
    values = org.configuration | {("zoho", field): secret for field, secret in secrets.items()}
    # It is no SecretStr, unlike the others.
    if (client_id := secrets.get("client_id")) is not None:
        values["zoho", "client_id"] = client_id.get_secret_value()
    return replaced(
        replace(settings, zoho=ZohoSettings()),
        values,
        source=lambda path: f"The org {org.name}: {'.'.join(path)}",
    )


def with_options(settings: Settings, run: "Run") -> Settings:
    """Return settings with those that the person who started a run chose for it.

    Raises UsageError.
    """
    values = {
        tuple(name.split(".")): value for name, value in run.options.items() if name != STOP_AT
    }
    return replaced(settings, values, source=lambda path: f"Run {run.run_id}: {'.'.join(path)}")


def put_orgs(
    settings: Settings,
    store: "Store",
    orgs: "Sequence[tuple[StoredOrg, Mapping[str, SecretStr]]]",
) -> None:
    """Store orgs and seal their secrets, all or none. Raises UsageError without a key."""
    keys = keys_for_new_secrets(settings, store)
    sealed = {
        org.name: {field: keys.seal(org.name, field, secret) for field, secret in secrets.items()}
        for org, secrets in orgs
    }
    store.orgs.put([org for org, _ in orgs], sealed)


def not_in_the_store(org: str) -> str:
    """Return why workers send nothing to an org that only a configuration names."""
    return (
        f"The org {org} is not among those that the machines share, so workers do not know its "
        f"sign-in. Add it with `batchlock orgs add {org}`, or name another with --org."
    )


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


def unknown_org(name: str, known: "Sequence[str]") -> UsageError:
    """Return the error for a name that no org has."""
    if not known:
        return UsageError(f"There are no orgs yet. Add one with `batchlock orgs add {name}`.")
    names = _nearest_first(name, known)
    return UsageError(
        f"There is no org {name}. Known are {names}. Name one of them, or add it with "
        f"`batchlock orgs add {name}`."
    )


def _nearest_first(name: str, known: "Sequence[str]") -> str:
    """Return the names that are most like `name`, as they stand in a message."""
    names = sorted(
        dict.fromkeys(known),
        key=lambda one: -difflib.SequenceMatcher(None, name.casefold(), one.casefold()).ratio(),
    )
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
