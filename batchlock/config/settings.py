"""The settings and their types, as far as no part below has them for itself."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from annotated_types import Ge, Gt
from pydantic import AfterValidator, BeforeValidator, SecretStr

from batchlock.core.rows import Field
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.settings import StopSettings
from batchlock.zoho.datacenters import DATA_CENTERS, ENVIRONMENTS
from batchlock.zoho.network import Network, is_this_machine

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(told: str) -> float:
    """Return a length of time such as `90`, `1.5s`, `2h` or `1h30m` in seconds.

    Raises ValueError.
    """
    text = told.replace(" ", "")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    raise ValueError("a length of time is a number with s, m, h or d, such as 90s, 2h or 1h30m")


def _address(told: str) -> str:
    url = urlsplit(told.rstrip("/"))
    host = url.hostname or ""
    if not host or url.path or url.query or url.username or url.password:
        raise ValueError("an address is like https://www.zohoapis.com, with nothing behind it")
    if url.scheme == "https" or (url.scheme == "http" and is_this_machine(host)):
        return url.geturl()
    raise ValueError(
        "the address must begin with https://, or credentials could be read on the way"
    )


def _encoding(told: str) -> str:
    try:
        return told if told == "auto" else codecs.lookup(told).name
    except LookupError:
        raise ValueError(
            "there is no such encoding; auto, utf-8, utf-16 or cp1252 will do"
        ) from None


def _delimiter(told: str) -> str:
    told = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(told, told)
    if told != "auto" and (len(told) != 1 or told in '"\r\n'):
        raise ValueError("a delimiter is auto, tab or a single character")
    return told


def _bytes(told: object) -> object:
    if not isinstance(told, str):
        return told
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MG])(?:i?B)?", told.strip(), re.IGNORECASE)
    if not found:
        raise ValueError("an amount of memory is a number with MiB or GiB, such as 4 GiB")
    return int(float(found[1]) * (2**20 if found[2] in "Mm" else 2**30))


def _name_of_an_org(told: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", told):
        raise ValueError("the org's name becomes a folder: letters, digits, dots, - and _ only")
    if told == SIMULATOR:
        raise ValueError("this name is kept for rehearsals; choose another")
    return told


def _version(told: str) -> str:
    if not re.fullmatch(r"v\d+(\.\d+)?", told):
        raise ValueError("a version of the API is like v7")
    return told


def _one_or_more(told: object) -> object:
    return [part.strip() for part in told.split(",")] if isinstance(told, str) else told


SIMULATOR = "simulator"
"""The org that rehearsals belong to."""

Address = Annotated[str, AfterValidator(_address)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Titles = Annotated[
    tuple[str, ...], BeforeValidator(lambda told: [told] if isinstance(told, str) else told)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoho:
    """Which org, and how to sign in to it."""

    data_center: Literal[tuple(DATA_CENTERS)] = "us"  # type: ignore[valid-type]  # the table's keys
    environment: Literal[ENVIRONMENTS] = "production"  # type: ignore[valid-type]  # the same
    api_version: Annotated[str, AfterValidator(_version)] = "v7"
    client_id: str | None = None
    client_id_file: Path | None = None
    client_id_command: str | None = None
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    client_secret_command: str | None = None
    refresh_token: SecretStr | None = None
    refresh_token_file: Path | None = None
    refresh_token_command: str | None = None
    api_url: Address | None = None
    accounts_url: Address | None = None
    organization_id: str | None = None

    @property
    def api(self) -> str:
        """The address of the API."""
        return self.api_url or DATA_CENTERS[self.data_center].api_url(self.environment)

    @property
    def accounts(self) -> str:
        """The address that gives access tokens."""
        return self.accounts_url or DATA_CENTERS[self.data_center].accounts_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """How the file is read."""

    columns: Mapping[Field, Titles] = field(default_factory=dict)
    custom_modules: Texts = ()
    lookup_lock_ids: bool = True
    strict: bool = False
    encoding: Annotated[str, AfterValidator(_encoding)] = "auto"
    delimiter: Annotated[str, AfterValidator(_delimiter)] = "auto"
    max_seconds: Annotated[float, Gt(0)] = 900.0
    """What reading the file may take; so too the next."""
    max_memory: Annotated[int, BeforeValidator(_bytes), Ge(512 * 2**20)] = 4 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Where the results go."""

    directory: Path | None = None
    format: Literal["xlsx", "csv"] = "xlsx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The page."""

    max_upload: Annotated[int, BeforeValidator(_bytes), Ge(2**20)] = 100 * 2**20
    """Bytes of one file."""
    session: Annotated[float, Gt(0)] = 12 * 3600.0
    """Seconds without a request after which a person signs in again."""
    hosts: Texts = ()
    """Names under which the page may be asked for, beside those of this machine."""
    trusted_proxy: Texts = ()
    """Addresses whose X-Forwarded headers are believed."""
    keep: Annotated[float, Gt(0)] | None = None
    """Seconds after which uploads and finished runs are removed; None for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings."""

    org: Annotated[str, AfterValidator(_name_of_an_org)] = "default"
    zoho: Zoho = field(default_factory=Zoho)
    network: Network = field(default_factory=Network)
    limits: Limits = field(default_factory=Limits)
    retry: Retry = field(default_factory=Retry)
    stop: StopSettings = field(default_factory=StopSettings)
    input: Input = field(default_factory=Input)
    results: Results = field(default_factory=Results)
    web: Web = field(default_factory=Web)
    state_directory: Path | None = None

    @property
    def state(self) -> Path:
        """The folder for journals, tokens and logs."""
        if self.state_directory is not None:
            return self.state_directory.expanduser().absolute()
        return platformdirs.user_state_path("batchlock", appauthor=False)
