"""What stands between this machine and Zoho: a proxy, certificates of one's own."""

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import AfterValidator, SecretStr

from batchlock.core.errors import UsageError


def _proxy(told: str) -> str:
    """Return the address of a proxy in full; ValueError, which does not show it, if it is none."""
    whole = told if "://" in told else f"http://{told}"
    try:
        url = urlsplit(whole)
        fits = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("a proxy is like http://proxy.example.com:3128") from None
    return whole


def _address(told: SecretStr) -> SecretStr:
    return SecretStr(_proxy(told.get_secret_value()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How to get out of this network."""

    proxy: Annotated[SecretStr, AfterValidator(_address)] | None = None
    """Its address, which may hold a password; None: what HTTPS_PROXY and NO_PROXY say."""
    ca_file: Path | None = None
    """Certificates to trust beside the system's, PEM."""

    def proxy_to(self, url: str) -> str | None:
        """Return the proxy on the way to an address, None when there is none.

        Without TLS there are only addresses of this machine, to which the environment's proxies
        are no way. Raises UsageError when the environment names none that can be used.
        """
        if self.proxy is not None:
            return self.proxy.get_secret_value()
        target = urlsplit(url)
        if target.scheme != "https" or proxy_bypass(target.netloc):
            return None
        proxies = getproxies()
        for name, variable in (("https", "HTTPS_PROXY"), ("all", "ALL_PROXY")):
            if told := proxies.get(name):
                try:
                    return _proxy(told)
                except ValueError as error:
                    raise UsageError(f"{variable}: {error}.") from None
        return None

    def check(self, *urls: str) -> None:
        """Find out early whether there is a way to all the addresses; UsageError if not."""
        for url in urls:
            self.proxy_to(url)
        if self.ca_file is not None:
            self.trusted()

    def trusted(self) -> ssl.SSLContext:
        """Return whose certificates are trusted; those of SSL_CERT_FILE are among them.

        Raises UsageError when `ca_file` cannot be used.
        """
        context = ssl.create_default_context()
        if self.ca_file is not None:
            try:
                context.load_verify_locations(self.ca_file.expanduser())
            except OSError as error:  # ssl.SSLError is one
                why = (error.strerror or "it cannot be read").lower()
                if isinstance(error, ssl.SSLError):
                    why = "it holds no certificates"
                raise UsageError(f"network.ca_file: {self.ca_file}: {why}.") from None
        return context


def is_this_machine(host: str) -> bool:
    """Say whether a host is a loopback one."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
