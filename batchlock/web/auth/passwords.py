"""Password hashes: argon2id, and the scrypt hashes that 0.1.0 stored."""

import base64
import hashlib
import hmac

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP ASVS 2.1.1 and 2.1.2; docs/page.md tells people these numbers.
MIN_LENGTH = 12
MAX_LENGTH = 128

# OWASP Password Storage Cheat Sheet, first choice: argon2id with 19 MiB, 2 passes, 1 thread.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# Verified against when there is no such person: the answer takes as long as for a person, so that
# the time does not show which names exist. It is a hash of random bytes.
_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$oQ1KrWjMpHy7FKn5Av5U/g"
    "$YnfXrveeX4B7u14CDlNTeUPO6zN/gpF8HWz5m0aoQJA"
)


def hash_password(password: str) -> str:
    """Return an argon2id hash in the PHC string format, with a new salt."""
    return _HASHER.hash(_bytes(password))


def verify_password(password: str, password_hash: str | None) -> bool:
    """Return whether a password fits a hash; for None it takes as long, and is False."""
    if password_hash is not None and password_hash.startswith("scrypt$"):
        return _verify_scrypt(password, password_hash)
    try:
        _HASHER.verify(password_hash or _NOBODY, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Return whether a hash is of another kind or cost than new hashes."""
    return password_hash.startswith("scrypt$") or _HASHER.check_needs_rehash(password_hash)


def _verify_scrypt(password: str, password_hash: str) -> bool:
    """Verify a hash of 0.1.0: `scrypt$n$r$p$salt$hash`, the last two in Base64."""
    _, n, r, p, salt, expected = password_hash.split("$")
    derived = hashlib.scrypt(
        _bytes(password),
        salt=base64.b64decode(salt),
        n=int(n),
        r=int(r),
        p=int(p),
        # OpenSSL's own limit of 32 MiB is just too small for n = 2**15 and r = 8.
        maxmem=256 * int(n) * int(r),
    )
    return hmac.compare_digest(derived, base64.b64decode(expected))


def _bytes(password: str) -> bytes:
    # A form may hold lone surrogates, which strict UTF-8 refuses.
    return password.encode("utf-8", "surrogatepass")
