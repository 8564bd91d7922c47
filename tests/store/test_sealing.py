"""The secrets of orgs, sealed with the keys of the settings or of the state folder."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.settings import SECRET

from batchlock.core.errors import UsageError
from batchlock.store.sealing import (
    Sealed,
    SealingKeys,
    UnknownKey,
    find_keys,
    make_key_file,
    new_key,
    require_keys,
)
from batchlock.store.settings import SecretsSettings


def keys_of(*keys: str) -> SealingKeys:
    found = find_keys(SecretsSettings(key=SecretStr(" ".join(keys))), Path("state"), is_shared=True)
    assert found is not None
    return found


def test_a_secret_is_opened_with_the_key_that_has_sealed_it() -> None:
    keys = keys_of(new_key())
    one, other = (keys.seal("acme", "refresh_token", SecretStr(SECRET)) for _ in range(2))
    assert one.content != other.content
    assert keys.open("acme", "refresh_token", one).get_secret_value() == SECRET
    for shown in (repr(keys), repr(one), str(keys.open("acme", "refresh_token", one))):
        assert SECRET not in shown
    assert SECRET.encode() not in one.content


def test_the_first_key_seals_and_each_key_opens() -> None:
    old, new = new_key(), new_key()
    sealed = keys_of(old).seal("acme", "client_id", SecretStr(SECRET))
    both = keys_of(new, old)
    assert both.open("acme", "client_id", sealed).get_secret_value() == SECRET
    newer = both.seal("acme", "client_id", SecretStr(SECRET))
    assert newer.key_id == keys_of(new).first_id != sealed.key_id
    with pytest.raises(UnknownKey, match=sealed.key_id):
        keys_of(new).open("acme", "client_id", sealed)


@pytest.mark.parametrize(
    ("org", "name", "cut"),
    [("other", "a", None), ("acme", "b", None), ("acme", "a", -1), ("acme", "a", 5)],
)
def test_a_secret_that_was_moved_or_damaged_is_refused(
    org: str, name: str, cut: int | None
) -> None:
    keys = keys_of(new_key())
    sealed = keys.seal("acme", "a", SecretStr(SECRET))
    with pytest.raises(UsageError, match=f"{name} of the org {org} is damaged") as error:
        keys.open(org, name, Sealed(sealed.key_id, sealed.content[:cut]))
    assert error.value.__cause__ is None


@pytest.mark.parametrize("key", ["short", "A" * 40, f"{'A' * 43}= {SECRET}", "ä" * 44])
def test_a_text_that_is_no_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError, match="32 bytes in base64") as error:
        keys_of(key)
    assert key.rsplit(maxsplit=1)[-1] not in str(error.value)


def test_the_key_of_a_state_folder_is_made_once(tmp_path: Path) -> None:
    settings = SecretsSettings()
    with pytest.raises(UsageError, match=r"secrets\.key"):
        require_keys(settings, tmp_path, is_shared=False)
    make_key_file(tmp_path)
    file = tmp_path / "secrets.key"
    content = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    make_key_file(tmp_path)
    assert file.read_text() == content
    first = require_keys(settings, tmp_path, is_shared=False)
    assert first.first_id == keys_of(content).first_id


def test_a_shared_store_does_not_use_the_key_of_one_machine(tmp_path: Path) -> None:
    make_key_file(tmp_path)
    assert find_keys(SecretsSettings(), tmp_path, is_shared=True) is None
    with pytest.raises(UsageError, match="orgs new-key"):
        require_keys(SecretsSettings(), tmp_path, is_shared=True)
