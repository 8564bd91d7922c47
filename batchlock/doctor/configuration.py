"""Checks of the configuration: which file and variables count, every problem, and the secrets."""

import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from batchlock.config import ReadSettings, Settings, read
from batchlock.config.sources import FILE_NAME, SettingPath, find_file, variables
from batchlock.core.errors import UsageError
from batchlock.core.paths import user_folder
from batchlock.doctor.checks import Check, bad, doubtful, from_error, good, skipped, split
from batchlock.zoho.credentials import Credentials, load_credentials
from batchlock.zoho.datacenters import data_center_of
from batchlock.zoho.network import is_this_machine
from batchlock.zoho.settings import SECRET_WAYS, SECRETS, ZohoSettings

# So many orgs of the store are named.
_MOST_NAMED = 3
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration of this call, as far as it can be read."""

    read: ReadSettings
    file: Path | None
    """None: there is no file."""
    variables: Mapping[str, SettingPath]
    """The variables that set something, by name."""

    @property
    def settings(self) -> Settings:
        """The settings; one with a problem has its default."""
        return self.read.settings

    def is_invalid(self, *paths: SettingPath) -> bool:
        """Return whether a setting at one of these paths, or below it, does not fit.

        All are unknown when the file cannot be read.
        """
        invalid = self.read.invalid_paths
        return () in invalid or any(each[: len(path)] == path for path in paths for each in invalid)


def read_configuration(file: Path | None, environment: Mapping[str, str]) -> Configuration:
    """Return the configuration; `file` is the one named on the command line."""
    try:
        used_file = find_file(file, environment)
    except UsageError:  # it is one of the problems
        used_file = None
    return Configuration(
        read=read(file=file, environment=environment),
        file=used_file,
        variables=variables(environment),
    )


def check_configuration(configuration: Configuration) -> list[Check]:
    """Return the checks of file, variables and values."""
    checks = [_file(configuration)]
    if configuration.variables:
        names = ", ".join(configuration.variables)
        checks.append(good("configuration.variables", f"Set by the environment: {names}."))
    checks += _problems(configuration)
    if not configuration.is_invalid(("zoho",)):
        checks.append(_addresses(configuration.settings.zoho))
    if (open_file := _secrets_for_others(configuration)) is not None:
        checks.append(open_file)
    return checks


def check_credentials(
    settings: Settings, stored_orgs: Sequence[str], *, offline: bool
) -> tuple[Check, Credentials | None]:
    """Return the check of the credentials, and the credentials if all are there.

    Where the store has orgs, the configuration needs no credentials. With `offline`, a command that
    prints one is not run, since it may ask a server.
    """
    check_id = "configuration.credentials"
    if stored_orgs and not has_credentials(settings.zoho):
        names = ", ".join(stored_orgs[:_MOST_NAMED])
        return skipped(
            check_id,
            f"Not checked: the configuration has no sign-in, and the store has {names}"
            f"{' and more' if len(stored_orgs) > _MOST_NAMED else ''}. --org NAME checks one of "
            "them, and `batchlock orgs test --all` tries every sign-in.",
        ), None
    if offline and any(getattr(settings.zoho, f"{name}_command") for name in SECRETS):
        reason = "Not checked: --offline, and a command prints a secret."
        return skipped(check_id, reason), None
    try:
        credentials = load_credentials(settings.zoho, settings.network, settings.org)
    except UsageError as error:
        # Each line is about one of them; the last one says what to do.
        *problems, remedy = str(error).split("\n")
        if not problems:
            return from_error(check_id, error), None
        return bad(check_id, " ".join(problems), remedy), None
    return good(check_id, f"The credentials of the org {settings.org} are there."), credentials


def has_credentials(zoho: ZohoSettings) -> bool:
    """Return whether any of the credentials is set, in whichever way."""
    ways = ("", *(f"_{way}" for way in SECRET_WAYS))
    names = [f"{secret}{way}" for secret in SECRETS for way in ways]
    return any(getattr(zoho, name) is not None for name in names)


def _file(configuration: Configuration) -> Check:
    check_id = "configuration.file"
    if configuration.file is not None:
        return good(check_id, f"The configuration is {configuration.file.absolute()}.")
    if configuration.is_invalid():
        return skipped(check_id, "Not known; see the problems.")
    folder = user_folder("config") or "a home folder, which is not known"
    text = f"There is no {FILE_NAME}, neither in the current folder nor in {folder}."
    if configuration.variables:
        return good(check_id, text)
    return doubtful(
        check_id,
        f"{text} All settings have their defaults.",
        "`batchlock login` signs in and says what to write there; config.example.yaml has every "
        "setting.",
    )


def _problems(configuration: Configuration) -> list[Check]:
    problems = configuration.read.problems
    if not problems:
        return [good("configuration.settings", "Every setting is valid.")]
    checks = []
    for number, problem in enumerate(problems, 1):
        message, what_to_do = split(problem)
        checks.append(
            bad(
                f"configuration.settings.{number}",
                f"{message.rstrip('.')}.",
                what_to_do or "Correct it; config.example.yaml describes every setting.",
            )
        )
    return checks


def _addresses(zoho: ZohoSettings) -> Check:
    """Return whether the addresses that are set belong to the data centre that is set."""
    check_id = "configuration.data_center"
    others, unknown = [], []
    for name in ("api_url", "accounts_url"):
        if (url := getattr(zoho, name)) is None:
            continue
        data_center = data_center_of(url)
        if data_center is None:
            unknown.append((name, url))
        elif data_center != zoho.data_center:
            others.append(f"zoho.{name} is of the data centre {data_center}")
    if others:
        return bad(
            check_id,
            f"zoho.data_center is {zoho.data_center}, but {' and '.join(others)}.",
            "Set zoho.data_center to the ending of the address of your CRM, and remove the "
            "addresses: a sign-in is valid at one data centre only.",
        )
    if unknown:
        names = " and ".join(f"zoho.{name} ({url})" for name, url in unknown)
        verb = "is" if len(unknown) == 1 else "are"
        text = f"{names} {verb} set and {verb} none of Zoho's addresses."
        if all(is_this_machine(urlsplit(url).hostname or "") for _, url in unknown):
            return good(check_id, text)
        return doubtful(
            check_id,
            text,
            "Remove them unless they are meant: the credentials are sent there.",
        )
    return good(
        check_id, f"The data centre is {zoho.data_center}, the environment {zoho.environment}."
    )


def _secrets_for_others(configuration: Configuration) -> Check | None:
    """Return the check of who can read the secrets; None when no file has any."""
    if sys.platform == "win32":
        return None
    settings = configuration.settings
    files = [getattr(settings.zoho, f"{name}_file") for name in SECRETS]
    files += [settings.database_file, settings.secrets.key_file]
    in_file = _has_secret(configuration)
    paths = [path for path in (*files, configuration.file if in_file else None) if path is not None]
    open_paths = []
    for path in dict.fromkeys(paths):
        try:
            if stat.S_IMODE(path.stat().st_mode) & _OTHERS:
                open_paths.append(path)
        except OSError:  # whoever reads it says so
            continue
    if not paths:
        return None
    if not open_paths:
        return good("configuration.private", "Only this user can read the files with secrets.")
    names = " ".join(map(str, open_paths))
    return doubtful(
        "configuration.private",
        f"Other users can read files with secrets: {names}.",
        f"Take their rights away: chmod go-rwx {names}.",
    )


def _has_secret(configuration: Configuration) -> bool:
    """Return whether the configuration file itself may hold a secret."""
    settings = configuration.settings
    from_variables = set(configuration.variables.values())
    values = {
        ("zoho", "client_secret"): settings.zoho.client_secret,
        ("zoho", "refresh_token"): settings.zoho.refresh_token,
        ("database",): settings.database,
        ("secrets", "key"): settings.secrets.key,
        ("network", "proxy"): settings.network.proxy,
    }
    return any(value is not None and path not in from_variables for path, value in values.items())
