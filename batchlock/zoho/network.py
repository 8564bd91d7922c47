"""The way from this machine to Zoho: a proxy, and certificates of the company."""

import ipaddress
import os
import re
import ssl
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import AfterValidator, SecretStr

from batchlock.core.errors import UsageError
from batchlock.core.paths import UserPath

# A name or an address. Anything else, such as a blank, can never be looked up. A bare number is a
# port without its host; it would be taken for an IPv4 address (3128: 0.0.12.56), and never answer.
_HOST = re.compile(r"(?![0-9]+$)([A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(%.+)?)")


def _proxy_url(text: str) -> str:
    """Return the URL of a proxy in full.

    Raises ValueError, whose message does not contain `text`: it may hold a password.
    """
    # curl and most programs take HTTPS_PROXY without a scheme too.
    full_url = text if "://" in text else f"http://{text}"
    try:
        url = urlsplit(full_url)
        valid = (
            url.scheme in ("http", "https")
            and _HOST.fullmatch(url.hostname or "")
            and url.port != 0
            and url.path in ("", "/")
        )
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(
            "a proxy is like http://proxy.example.com:3128, and this is no such address; correct "
            "it, or remove it if there is no proxy"
        ) from None
    return full_url


def _secret_proxy_url(text: SecretStr) -> SecretStr:
    return SecretStr(_proxy_url(text.get_secret_value()))


# Only there Python does not read all of the system's certificates: on macOS none of the keychain,
# on Windows none of those that Windows fetches when they are first needed. On Linux truststore
# adds nothing, and it reads the certificates again for every connection (30 ms of CPU each).
_USE_TRUSTSTORE = sys.platform in ("win32", "darwin")


# To load the certificates of a system takes 60 ms of CPU and a megabyte, so the orgs of a worker
# share one context. It is made anew from time to time, since the certificates of a system change.
_CONTEXT_SECONDS = 3600.0


def _system_ssl_context() -> ssl.SSLContext:
    if not _USE_TRUSTSTORE:
        return ssl.create_default_context()
    import truststore

    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_default_verify_paths()  # truststore itself ignores SSL_CERT_FILE there
    return context


@lru_cache(maxsize=2)
def _ssl_context(ca_file: Path | None, *_: object) -> ssl.SSLContext:
    """Return a context, the same one for the same arguments."""
    context = _system_ssl_context()
    if ca_file is not None:
        _load_certificates(context, ca_file, "network.ca_file")
    return context


def _changed_at(file: Path | None) -> int:
    try:
        return 0 if file is None else file.stat().st_mtime_ns
    except OSError:
        return -1  # one that cannot be read gets no context


def _load_certificates(context: ssl.SSLContext, path: Path | str, setting: str) -> None:
    """Let `context` trust the certificates of a file. Raises UsageError when it has none."""
    try:
        context.load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one
        why = (error.strerror or "it cannot be read").lower()
        if isinstance(error, ssl.SSLError):
            why = "it holds no certificates"  # OpenSSL's own words name a function of it
        raise UsageError(
            f"{setting}: {path}: {why}. Name a file of certificates in PEM format, or remove the "
            "setting."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """How calls leave this network."""

    # None: the environment's HTTPS_PROXY and NO_PROXY count. Secret, since it may hold a password.
    proxy: Annotated[SecretStr, AfterValidator(_secret_proxy_url)] | None = None
    # Certificates in PEM format that are trusted beside the system's.
    ca_file: UserPath | None = None

    def proxy_to(self, url: str) -> str | None:
        """Return the URL of the proxy for calls to `url`, None for a direct connection.

        Raises UsageError when the environment names a proxy that cannot be used.
        """
        if self.proxy is not None:
            return self.proxy.get_secret_value()
        target = urlsplit(url)
        # Only an address of this machine can be without TLS, and a proxy of the environment
        # cannot reach this machine.
        if target.scheme != "https" or proxy_bypass(target.netloc):
            return None
        proxies = getproxies()
        for scheme, variable in (("https", "HTTPS_PROXY"), ("all", "ALL_PROXY")):
            if proxy := proxies.get(scheme):
                try:
                    return _proxy_url(proxy)
                except ValueError as error:
                    raise UsageError(f"{variable}: {error}.") from None
        return None

    def check(self, *urls: str) -> None:
        """Check that proxy and certificates can be used for `urls`, without any connection.

        Raises UsageError when they cannot.
        """
        for url in urls:
            self.proxy_to(url)
        for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            # OpenSSL ignores a path that is wrong. Then it trusts no certificate at all.
            path = os.environ.get(variable)
            if path and not Path(path).exists():
                raise UsageError(
                    f"{variable}: there is nothing at {path}, so no server would be trusted. "
                    "Correct the path, or remove the variable."
                )
        if path := os.environ.get("SSL_CERT_FILE"):
            # OpenSSL ignores a file without certificates too.
            _load_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path, "SSL_CERT_FILE")
        if self.ca_file is not None:
            self.ssl_context()

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that trusts the system's certificates, SSL_CERT_FILE and `ca_file`.

        Raises UsageError when `ca_file` cannot be used.
        """
        system = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), _USE_TRUSTSTORE
        hour = int(time.monotonic() // _CONTEXT_SECONDS)
        return _ssl_context(self.ca_file, _changed_at(self.ca_file), *system, hour)


def is_this_machine(host: str) -> bool:
    """Return whether `host` is a loopback address or localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
