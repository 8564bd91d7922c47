"""Zoho's data centres, and the scopes to ask them for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

SCOPES = (
    "ZohoCRM.modules.ALL",
    "ZohoCRM.modules.lockinginformation.ALL",
    "ZohoCRM.settings.modules.READ",
    "ZohoCRM.settings.record_locking_configurations.READ",
    "ZohoCRM.org.READ",
)
"""All that a sign-in needs. Zoho's pages disagree on the scopes of this call: the union of them."""

_API_HOSTS = {"production": "www", "sandbox": "sandbox", "developer": "developer"}

ENVIRONMENTS = tuple(_API_HOSTS)


class DataCenter(NamedTuple):
    """Where the orgs of one region live; a token is good at its own data centre alone."""

    accounts_url: str
    console_url: str
    """Where a person makes the client id, the client secret and the code for signing in."""
    tld: str
    """What follows `zohoapis.` in the API's host name."""

    def api_url(self, environment: str) -> str:
        """Return the API's address for one of ENVIRONMENTS; they share one accounts host."""
        return f"https://{_API_HOSTS[environment]}.zohoapis.{self.tld}"


def _at(domain: str, tld: str) -> DataCenter:
    return DataCenter(f"https://accounts.{domain}", f"https://api-console.{domain}", tld)


DATA_CENTERS: Mapping[str, DataCenter] = MappingProxyType(
    {
        "us": _at("zoho.com", "com"),
        "eu": _at("zoho.eu", "eu"),
        "in": _at("zoho.in", "in"),
        "au": _at("zoho.com.au", "com.au"),
        "cn": _at("zoho.com.cn", "com.cn"),
        "jp": _at("zoho.jp", "jp"),
        "ca": _at("zohocloud.ca", "ca"),
        "sa": _at("zoho.sa", "sa"),
        "uk": _at("zoho.uk", "uk"),
        "ae": _at("zoho.ae", "ae"),
        "sg": _at("zoho.sg", "sg"),
    }
)
