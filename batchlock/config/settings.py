"""All settings of the program, and the types of those that no single folder obeys."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BeforeValidator

from batchlock.core.encodings import encoding_named
from batchlock.core.errors import UsageError
from batchlock.core.paths import UserPath, user_folder
from batchlock.core.rows import Field
from batchlock.core.secret_source import read_secret
from batchlock.core.sizes import parse_size
from batchlock.fleet.settings import ListenAddress, WorkerSettings
from batchlock.inboxes.settings import InboxSettings
from batchlock.notify.settings import NotifySettings
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.settings import PreviousReason, StopSettings
from batchlock.store.settings import DatabaseUrl, SecretsSettings, check_database_url
from batchlock.web.oidc.settings import OidcSettings
from batchlock.zoho.network import NetworkSettings
from batchlock.zoho.settings import SIMULATOR, ZohoSettings

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Return a length of time such as `90`, `1.5s`, `2h` or `1h30m` in seconds.

    Raises ValueError.
    """
    # pydantic's timedelta takes neither `2h` nor `90s`, but only ISO 8601 and clock times.
    compact = text.replace(" ", "")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", compact)
    if parts and "".join(number + unit for number, unit in parts) == compact:
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    if re.fullmatch(r"\d+(?:\.\d+)?", compact):
        return float(compact)
    raise ValueError("a length of time is a number with s, m, h or d, such as 90s, 2h or 1h30m")


def _delimiter(text: str) -> str:
    # The words, because a tab and a comma are hard to see or to quote in YAML and in a shell.
    names = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "bar": "|"}
    delimiter = names.get(text.strip().casefold(), text)
    if delimiter != "auto" and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError("a delimiter is auto, comma, semicolon, tab, bar or a single character")
    return delimiter


def _org_name(text: str) -> str:
    # Windows and network drives take these characters in a folder's name; the first one cannot be
    # a dot, which would hide the folder, or `-`, which looks like an option.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError("the org's name becomes a folder: letters, digits, dots, - and _ only")
    if text == SIMULATOR:
        raise ValueError("this name is kept for rehearsals; choose another")
    return text


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _single_title(value: object) -> object:
    # A title may hold a comma, so here a text is one title.
    return [value] if isinstance(value, str) else value


_Texts = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]
_Titles = Annotated[tuple[str, ...], BeforeValidator(_single_title)]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSettings:
    """How the input file is read."""

    columns: Mapping[Field, _Titles] = field(default_factory=dict)
    custom_modules: _Texts = ()
    lookup_lock_ids: bool = True
    strict: bool = False
    encoding: Annotated[str, AfterValidator(encoding_named)] = "auto"
    delimiter: Annotated[str, AfterValidator(_delimiter)] = "auto"
    # Bounds of the process that reads the file: parsers of workbooks can hang on a damaged file,
    # or fill the machine's memory. 512 MiB is what pandas and a small workbook need.
    max_seconds: Annotated[float, Gt(0)] = 900.0
    max_memory: Annotated[int, BeforeValidator(parse_size), Ge(512 * 2**20)] = 4 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsSettings:
    """Where the results are written."""

    # None: beside the input file.
    directory: UserPath | None = None
    format: Literal["xlsx", "csv"] = "xlsx"
    previous_reason: PreviousReason = PreviousReason.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The lines of the log."""

    format: Literal["text", "json"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The web page. Times are in seconds."""

    # Bytes of one uploaded file.
    max_upload: Annotated[int, BeforeValidator(parse_size), Ge(2**20)] = 100 * 2**20
    # Without activity for this long, a person has to sign in again. Both as NIST SP 800-63B (AAL2)
    # and OWASP ASVS 3.3.2 (level 2) want it.
    session: Annotated[float, Gt(0)] = 30 * 60.0
    # After this long, a person has to sign in again in any case.
    session_limit: Annotated[float, Gt(0)] = 12 * 3600.0
    # Host names that the page accepts, beside those of this machine.
    hosts: _Texts = ()
    # Addresses of proxies whose X-Forwarded headers are used.
    trusted_proxy: _Texts = ()
    # Until the header of a request is complete.
    header_timeout: Annotated[float, Gt(0)] = 10.0
    # An upload or an answer that stands still for this long is ended.
    transfer_timeout: Annotated[float, Gt(0)] = 60.0
    # Between two requests of a connection. Load balancers close theirs after 60 s by default, and
    # must be the first, or they would use a connection that is just being closed.
    idle_timeout: Annotated[float, Gt(0)] = 75.0
    # Half of the 1,024 descriptors that a process usually has.
    max_connections: Annotated[int, Ge(1)] = 500
    # A browser opens six at most; the people of an office may share an address.
    max_connections_per_address: Annotated[int, Ge(1)] = 50
    # Uploads and finished runs are removed after this time; None for never.
    keep: Annotated[float, Gt(0)] | None = None
    # Entries of the audit log are removed after this time; None for never.
    keep_log: Annotated[float, Gt(0)] | None = None
    # Whether another person than those who prepared a file starts its runs.
    four_eyes: bool = False
    # Each org whose run is being sent takes a process of 60 MiB.
    orgs_at_once: Annotated[int, Ge(1), Le(10_000)] = 20
    # Not at the address of the page, which people reach who shall not read the figures.
    metrics_listen: ListenAddress | None = None
    # A folder with languages of the page, such as de.po; None for those of the program.
    translations: UserPath | None = None
    # Whether people may sign in by name and password.
    passwords: bool = True
    oidc: OidcSettings = field(default_factory=OidcSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; the names of sections and fields are the keys of the configuration."""

    org: Annotated[str, AfterValidator(_org_name)] = "default"
    zoho: ZohoSettings = field(default_factory=ZohoSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    limits: Limits = field(default_factory=Limits)
    retry: Retry = field(default_factory=Retry)
    stop: StopSettings = field(default_factory=StopSettings)
    input: InputSettings = field(default_factory=InputSettings)
    results: ResultsSettings = field(default_factory=ResultsSettings)
    log: LogSettings = field(default_factory=LogSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    inbox: InboxSettings = field(default_factory=InboxSettings)
    web: WebSettings = field(default_factory=WebSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    secrets: SecretsSettings = field(default_factory=SecretsSettings)
    # None: a file in the state folder.
    database: DatabaseUrl | None = None
    database_file: UserPath | None = None
    database_command: str | None = None
    state_directory: UserPath | None = None

    @property
    def has_database(self) -> bool:
        """Whether a database is set that many machines share; its address is not read."""
        return any((self.database, self.database_file, self.database_command))

    @property
    def database_url(self) -> str | None:
        """The address of the PostgreSQL database; None: the store is in the state folder.

        Raises UsageError when it cannot be read or is no such address.
        """
        url = read_secret(
            "database",
            value=None if self.database is None else self.database.get_secret_value(),
            file=self.database_file,
            command=self.database_command,
        )
        if url is None:
            return None
        try:
            return check_database_url(url)
        except ValueError as error:
            raise UsageError(f"database: {error}. Correct it in the configuration.") from None

    @property
    def state(self) -> Path:
        """The folder for journals, tokens and logs."""
        if self.state_directory is not None:
            return self.state_directory.absolute()
        folder = user_folder("state")
        if folder is None:
            raise UsageError(
                "Your home folder is not known, so there is no place for runs and tokens. Set "
                "HOME, or name a folder with state_directory in the configuration."
            )
        return folder
