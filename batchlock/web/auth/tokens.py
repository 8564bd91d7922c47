"""The cookie of a browser, and what is derived from it."""

import base64
import hashlib
import hmac
import secrets

# 256 bits: nobody can guess a cookie, so a plain SHA-256 of it is a safe key for the database.
_COOKIE_BYTES = 32


def new_cookie() -> str:
    """Return a new random cookie."""
    return secrets.token_urlsafe(_COOKIE_BYTES)


def session_key(cookie: str) -> str:
    """Return the hash of a cookie under which its session is stored."""
    return hashlib.sha256(_bytes(cookie)).hexdigest()


def csrf_token(cookie: str) -> str:
    """Return the CSRF token of a cookie: an HMAC, so nothing has to be stored for it."""
    return derived_token(cookie, "csrf")


def derived_token(cookie: str, purpose: str) -> str:
    """Return a token that only the holder of a cookie could know: 64 hexadecimal digits."""
    return hmac.new(_bytes(cookie), purpose.encode(), hashlib.sha256).hexdigest()


def code_challenge(verifier: str) -> str:
    """Return the S256 code challenge of a code verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _bytes(cookie: str) -> bytes:
    # aiohttp decodes headers with surrogateescape, so a cookie may hold lone surrogates.
    return cookie.encode("utf-8", "surrogatepass")
