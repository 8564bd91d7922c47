"""Checks of Python, of the packages of batchlock, and of those that settings need."""

import platform
import re
import sqlite3
import ssl
import sys
from importlib import metadata
from importlib.util import find_spec
from typing import NamedTuple

from batchlock import __version__
from batchlock.config import Settings
from batchlock.doctor.checks import Check, bad, doubtful, good
from batchlock.zoho.settings import SECRETS

# The names of the packages that `database` needs, as `store/postgres.py` imports them.
_FLEET = ("psycopg", "procrastinate", "prometheus_client", "cryptography")
_PAGE = ("jinja2", "babel", "argon2", "zxcvbn")
# `aiohttp>=3.14; marker`: name, lower bound and marker of a requirement.
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;>]*(?:>=([0-9.]+))?[^;]*(?:;(.*))?")
# The first SQLite with RETURNING, which the store uses.
_OLDEST_SQLITE = (3, 35)
# A 32-bit process cannot map the memory that a large workbook needs.
_MAX_32_BIT = 2**31 - 1


class Extra(NamedTuple):
    """Packages that settings need, and how they are installed."""

    setting: str
    packages: tuple[str, ...]
    install: str


def versions() -> dict[str, str]:
    """Return the versions of Python, of the system and of the packages, by name."""
    version_by_name = {
        "batchlock": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "sqlite": sqlite3.sqlite_version,
        "openssl": ssl.OPENSSL_VERSION,
    }
    for name, _ in _requirements(with_extras=True):
        version = _version(name)
        if version is not None:
            version_by_name[name] = version
    return version_by_name


def check_platform() -> list[Check]:
    """Return the checks of Python and of the packages that every command needs."""
    return [_python(), _packages(), _encoding(), _sqlite()]


def check_extras(settings: Settings, *, has_secrets: bool) -> list[Check]:
    """Return the check of the packages that the settings need; `has_secrets`: the store has some.

    A package that a setting needs, and that is missing, is bad.
    """
    checks = []
    for extra in _extras(settings, has_secrets=has_secrets):
        missing = [package for package in extra.packages if find_spec(package) is None]
        if missing:
            checks.append(
                bad(
                    f"platform.{extra.setting.replace('.', '_')}",
                    f"{extra.setting} needs packages that are not installed: {', '.join(missing)}.",
                    f"Install them beside batchlock: pip install '{extra.install}'.",
                )
            )
    if not checks:
        page = [package for package in _PAGE if find_spec(package) is None]
        without = " The packages of the web page are not installed." if page else ""
        checks.append(
            good("platform.extras", f"The packages that the settings need are there.{without}")
        )
    return checks


def _extras(settings: Settings, *, has_secrets: bool) -> list[Extra]:
    extras = []
    if settings.has_database:
        extras.append(Extra("database", _FLEET, "batchlock[fleet]"))
    elif has_secrets:
        extras.append(Extra("secrets", ("cryptography",), "cryptography"))
    for name, address in (
        ("worker.listen", settings.worker.listen),
        ("web.metrics_listen", settings.web.metrics_listen),
    ):
        if address is not None:
            extras.append(Extra(name, ("prometheus_client",), "batchlock[fleet]"))
    if any(getattr(settings.zoho, f"{name}_keyring") for name in SECRETS):
        extras.append(Extra("keyring", ("keyring",), "batchlock[keyring]"))
    notify = settings.notify
    if notify.messages or notify.messages_file or notify.messages_command:
        extras.append(Extra("notify.messages", ("apprise",), "batchlock[notify]"))
    if notify.textfile is not None:
        extras.append(Extra("notify.textfile", ("prometheus_client",), "batchlock[notify]"))
    if settings.web.oidc.issuer is not None:
        extras.append(Extra("web.oidc", ("joserfc",), "batchlock[oidc]"))
    return extras


def _python() -> Check:
    text = (
        f"batchlock {__version__}, {platform.python_implementation()} "
        f"{platform.python_version()}, {platform.platform(terse=True)}, {platform.machine()}"
    )
    if sys.maxsize <= _MAX_32_BIT:
        return doubtful(
            "platform.python",
            f"{text}, 32 bits.",
            "Install a Python of 64 bits: large workbooks need more memory than 32 bits reach.",
        )
    if sys.version_info.releaselevel != "final":
        return doubtful(
            "platform.python",
            f"{text}, which is no final release.",
            "Install a final release of Python before you rely on it.",
        )
    return good("platform.python", f"{text}.")


def _packages() -> Check:
    requirements = _requirements(with_extras=False)
    missing, old = [], []
    for name, minimum in requirements:
        version = _version(name)
        if version is None:
            missing.append(name)
        elif _is_older(version, minimum):
            old.append(f"{name} {version} (needs {minimum})")
    if missing:
        return bad(
            "platform.packages",
            f"Packages of batchlock are not installed: {', '.join(missing)}.",
            "Install batchlock again: pip install --force-reinstall batchlock.",
        )
    if old:
        return doubtful(
            "platform.packages",
            f"Packages are older than batchlock needs: {', '.join(old)}.",
            "Bring them up to date: pip install --upgrade batchlock.",
        )
    if not requirements:
        return doubtful(
            "platform.packages",
            "The installation of batchlock does not say which packages it needs.",
            "Install batchlock with pip in place of a copy of its files.",
        )
    return good("platform.packages", f"All {len(requirements)} packages are installed.")


def _encoding() -> Check:
    name = sys.getfilesystemencoding()
    if name.casefold().replace("_", "-") != "utf-8":
        return doubtful(
            "platform.encoding",
            f"Names of files are read as {name}, so that some files cannot be named.",
            "Set the variable LANG to a locale in UTF-8, such as C.UTF-8, or PYTHONUTF8=1.",
        )
    return good("platform.encoding", "Names of files are read as UTF-8.")


def _sqlite() -> Check:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return bad(
            "platform.sqlite",
            f"SQLite {sqlite3.sqlite_version} is too old: batchlock needs 3.35.",
            "Install a newer Python, which brings a newer SQLite.",
        )
    return good("platform.sqlite", f"SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}.")


def _requirements(*, with_extras: bool) -> list[tuple[str, str]]:
    """Return name and lower bound of the packages that this system needs, by name."""
    try:
        lines = metadata.requires("batchlock") or []
    except metadata.PackageNotFoundError:
        return []
    minimum_by_name = {}
    for line in lines:
        match = _REQUIREMENT.fullmatch(line)
        if match is None:
            continue
        name, minimum, marker = match[1], match[2] or "", (match[3] or "").strip()
        is_extra = "extra ==" in marker
        # Of the development extra, and of other systems, nothing is expected.
        is_other_system = "sys_platform" in marker and _version(name) is None
        if name == "batchlock" or is_other_system or (is_extra and not with_extras):
            continue
        minimum_by_name[name] = minimum
    return sorted(minimum_by_name.items())


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _is_older(version: str, minimum: str) -> bool:
    return _numbers(version) < _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release, without what follows them: 3.14.0rc1 counts as 3.14."""
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(int(number) for number in match[0].split(".")) if match else ()
