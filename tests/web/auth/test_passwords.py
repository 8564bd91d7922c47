"""Password hashes."""

import pytest
from support.page_server import SCRYPT_HASH

from batchlock.web.auth.passwords import hash_password, needs_rehash, verify_password


def test_a_password_is_stored_as_a_slow_hash() -> None:
    password_hash = hash_password("a long password")
    assert password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password("a long password", password_hash)
    assert not verify_password("a long passwore", password_hash)
    assert not needs_rehash(password_hash)


def test_a_password_is_not_cut_off() -> None:
    password_hash = hash_password("x" * 128)
    assert verify_password("x" * 128, password_hash)
    assert not verify_password("x" * 127 + "y", password_hash)


def test_equal_passwords_have_different_hashes() -> None:
    assert hash_password("a long password") != hash_password("a long password")


def test_nobody_has_no_password() -> None:
    assert not verify_password("", None)


@pytest.mark.parametrize("password", ["\udcff and more", "表" * 10])
def test_any_characters_can_be_in_a_password(password: str) -> None:
    assert verify_password(password, hash_password(password))


def test_a_hash_of_0_1_0_is_verified_and_replaced() -> None:
    assert verify_password("a long password", SCRYPT_HASH)
    assert not verify_password("a long passwore", SCRYPT_HASH)
    assert needs_rehash(SCRYPT_HASH)
