"""Read a sign-in from a file of another program: Zoho's Python SDK, or a .env of many projects.

sdk_tokens.txt (a CSV table with a header), or lines NAME=VALUE ─▶ SignInFromFile

The SDK writes 10 columns, older versions 9, without `api_domain`. The names in a .env are those
that unrelated projects share; only the three secrets are needed, and the addresses name the data
centre.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from batchlock.core.errors import UsageError
from batchlock.zoho.datacenters import DATA_CENTERS, ENVIRONMENTS, place_of

# Bytes. Such files have less than 2,000.
_MAX_FILE_SIZE = 256 * 1024
_SDK_COLUMNS = ("client_id", "client_secret", "refresh_token")
_NAMES = {name: f"ZOHO_{name.upper()}" for name in _SDK_COLUMNS}
# What projects call the addresses and the data centre, besides the three secrets.
_ADDRESSES = (
    "ZOHO_ACCOUNTS_URL",
    "ZOHO_ACCOUNTS_DOMAIN",
    "ZOHO_API_DOMAIN",
    "ZOHO_API_URL",
    "ZOHO_BASE_URL",
)
_REGIONS = ("ZOHO_DC", "ZOHO_REGION", "ZOHO_DATA_CENTER")
# NAME=VALUE, with `export` before it and quotation marks around the value, as shells read it.
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFromFile:
    """A sign-in from a file."""

    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    data_center: str | None = None
    """None when the file does not name it."""
    environment: str | None = None


def read_sign_in(file: Path) -> SignInFromFile:
    """Return the sign-in in a file. Raises UsageError when it has none, or more than one."""
    try:
        with file.open("rb") as content:
            text = content.read(_MAX_FILE_SIZE).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror or error}. Check its path, and who may read "
            "it."
        ) from None
    except UnicodeDecodeError:
        # Without the cause, which holds the content of the file.
        raise UsageError(f"{file} is not UTF-8 text. {_EXPECTED}") from None
    if "\0" in text:
        raise UsageError(f"{file} is not a text file. {_EXPECTED}")
    rows = _sdk_rows(text)
    return _of_variables(file, text) if rows is None else _of_sdk(file, rows)


_EXPECTED = (
    "Name the sdk_tokens.txt of Zoho's SDK, or a file with lines ZOHO_CLIENT_ID=…, "
    "ZOHO_CLIENT_SECRET=… and ZOHO_REFRESH_TOKEN=…."
)


def _sdk_rows(text: str) -> list[dict[str, str]] | None:
    """Return the rows of a table of the SDK; None when the text is no such table."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    try:
        if not set(_SDK_COLUMNS) <= set(reader.fieldnames or ()):
            return None
        return [{str(name): value for name, value in row.items() if name} for row in reader]
    except csv.Error:
        return None


def _of_sdk(file: Path, rows: list[dict[str, str]]) -> SignInFromFile:
    # The SDK adds a row for each user and client, also before it has a refresh token.
    complete = [row for row in rows if all(row[name].strip() for name in _SDK_COLUMNS)]
    if not complete:
        raise UsageError(
            f"{file} has no refresh token: the SDK has not signed in yet. Sign in without --from."
        )
    sign_ins = {tuple(row[name].strip() for name in _SDK_COLUMNS): row for row in complete}
    if len(sign_ins) > 1:
        users = ", ".join(dict.fromkeys(row.get("user_name", "") for row in complete))
        raise UsageError(
            f"{file} has {len(sign_ins)} sign-ins ({users}), and one is needed. Copy the header "
            "and the row of one user to a file of their own."
        )
    ((secrets, row),) = sign_ins.items()
    data_center, environment = _place(row.get("api_domain", ""))
    return _sign_in(dict(zip(_SDK_COLUMNS, secrets, strict=True)), data_center, environment)


def _of_variables(file: Path, text: str) -> SignInFromFile:
    values: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            values[match[1].upper()] = _unquoted(match[2])
    secrets = {name: values.get(variable, "") for name, variable in _NAMES.items()}
    missing = [_NAMES[name] for name, value in secrets.items() if not value]
    if len(missing) == len(_NAMES):
        raise UsageError(f"{file} has no sign-in. {_EXPECTED}")
    if missing:
        raise UsageError(f"{file} lacks {' and '.join(missing)}. Add what is missing to it.")
    data_center = environment = None
    for name in _ADDRESSES:
        place, kind = _place(values.get(name, ""))
        data_center, environment = data_center or place, environment or kind
    for name in _REGIONS:
        data_center = data_center or _data_center_named(values.get(name, ""))
    kind = values.get("ZOHO_ENVIRONMENT", "").casefold()
    return _sign_in(secrets, data_center, environment or (kind if kind in ENVIRONMENTS else None))


def _sign_in(
    secrets: Mapping[str, str], data_center: str | None, environment: str | None
) -> SignInFromFile:
    return SignInFromFile(
        client_id=secrets["client_id"],
        client_secret=SecretStr(secrets["client_secret"]),
        refresh_token=SecretStr(secrets["refresh_token"]),
        data_center=data_center,
        environment=environment,
    )


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote in ("'", '"') and (end := value.find(quote, 1)) > 0:
        return value[1:end]
    return re.sub(r"\s+#.*", "", value)


def _place(address: str) -> tuple[str | None, str | None]:
    """Return data centre and environment of an address, which may have no scheme."""
    return place_of(address if "//" in address else f"//{address}")


def _data_center_named(region: str) -> str | None:
    """Return a data centre by our name for it, or by the end of its addresses (`com.au`)."""
    region = region.strip().casefold().lstrip(".")
    if region in DATA_CENTERS:
        return region
    return next((name for name, one in DATA_CENTERS.items() if one.tld == region), None)
