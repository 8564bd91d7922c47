"""Zoho's data centres and environments."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

# The first label of the API's host name, by environment.
_API_HOSTS = {"production": "www", "sandbox": "sandbox", "developer": "developer"}

ENVIRONMENTS = tuple(_API_HOSTS)


class DataCenter(NamedTuple):
    """The addresses of one region; its tokens are valid nowhere else."""

    accounts_url: str
    console_url: str  # where a person makes the client id, the client secret and the code
    tld: str  # the part after `zohoapis.` in the API's host name

    def api_url(self, environment: str) -> str:
        """Return the API's address for one of ENVIRONMENTS; they share one accounts host."""
        return f"https://{_API_HOSTS[environment]}.zohoapis.{self.tld}"


def _data_center(domain: str, tld: str) -> DataCenter:
    return DataCenter(f"https://accounts.{domain}", f"https://api-console.{domain}", tld)


# Canada's accounts are at zohocloud.ca, but its API is at zohoapis.ca.
DATA_CENTERS: Mapping[str, DataCenter] = MappingProxyType(
    {
        "us": _data_center("zoho.com", "com"),
        "eu": _data_center("zoho.eu", "eu"),
        "in": _data_center("zoho.in", "in"),
        "au": _data_center("zoho.com.au", "com.au"),
        "cn": _data_center("zoho.com.cn", "com.cn"),
        "jp": _data_center("zoho.jp", "jp"),
        "ca": _data_center("zohocloud.ca", "ca"),
        "sa": _data_center("zoho.sa", "sa"),
        "uk": _data_center("zoho.uk", "uk"),
        "ae": _data_center("zoho.ae", "ae"),
        "sg": _data_center("zoho.sg", "sg"),
    }
)


def place_of(url: str) -> tuple[str | None, str | None]:
    """Return data centre and environment of an address of the API or of an accounts server.

    An accounts server has no environment, and another server has neither.
    """
    host = urlsplit(url).hostname or ""
    for name, data_center in DATA_CENTERS.items():
        if host == urlsplit(data_center.accounts_url).hostname:
            return name, None
        for environment in ENVIRONMENTS:
            if host == urlsplit(data_center.api_url(environment)).hostname:
                return name, environment
    return None, None


def data_center_of(url: str) -> str | None:
    """Return the data centre of an address of Zoho, of any environment; None for another server."""
    return place_of(url)[0]
