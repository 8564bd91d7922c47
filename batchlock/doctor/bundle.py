"""Write the file for a bug report: versions, settings, the checks, the last run, the log's end.

    README.txt       what is in it
    versions.json    of batchlock, Python, the system and the packages
    settings.json    every setting: its value if it is a number, a choice or a time, else whether it
                     is set; and where it comes from
    doctor.json      the checks
    last_run.json    the last run, its causes, and some rows with hashed ids
    log.txt          the last lines of the log

Secrets are in none of them; ids, names, reasons and paths are hashed (see `redaction`).
"""

import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import time
from enum import Enum
from pathlib import Path
from typing import Any

from batchlock.config import Settings, setting_paths
from batchlock.config.sources import SettingPath
from batchlock.core.errors import BatchlockError, UsageError
from batchlock.doctor.as_json import CheckJson, doctor_json
from batchlock.doctor.checks import Diagnosis
from batchlock.doctor.configuration import Configuration
from batchlock.doctor.installation import versions
from batchlock.doctor.last_run import last_run_json, private_texts_of
from batchlock.doctor.redaction import Redactor
from batchlock.store.read_only import StoreView
from batchlock.zoho.datacenters import data_center_of

# Texts of settings that are choices of ours, so that they tell nothing about anybody.
_CHOICES = {
    ("zoho", "data_center"),
    ("zoho", "environment"),
    ("zoho", "api_version"),
    ("results", "format"),
    ("input", "encoding"),
    ("input", "delimiter"),
    ("limits", "in_flight"),
    ("limits", "composite"),
}
# About as much as a person can read, and as a run of a bad night writes.
_LOG_LINES = 500
_LOG_BYTES = 256 * 1024
_README = """\
This file was written by `batchlock doctor --bundle` for a bug report.

Secrets are in none of its parts. Ids of records and locks, names of people, companies, orgs and
files, reasons, paths and addresses are replaced by # and a hash, which differs for each file of
this kind. Look at it before you send it to somebody: the parts are plain text.
"""


def write_bundle(
    path: Path,
    diagnosis: Diagnosis,
    configuration: Configuration | None,
    settings: Settings | None,
    view: StoreView | None,
    *,
    overwrite: bool,
) -> None:
    """Write the file. Raises UsageError when it cannot be written."""
    redactor = Redactor(".".join(setting) for setting in setting_paths())
    current_settings = settings or (None if configuration is None else configuration.settings)
    if configuration is not None:
        redactor.add_private(_private_settings(configuration.settings))
    if current_settings is not None:
        redactor.add_private(_private_settings(current_settings))
    if view is not None:
        redactor.add_private(private_texts_of(view))
    parts: dict[str, object] = {
        "README.txt": _README,
        "versions.json": versions(),
        "settings.json": _settings_json(configuration),
        "doctor.json": _redacted(diagnosis, redactor),
        "last_run.json": None if view is None else last_run_json(view, redactor),
        "log.txt": "" if current_settings is None else _log_tail(current_settings, redactor),
    }
    _write(path, parts, overwrite=overwrite)


def _write(path: Path, parts: Mapping[str, object], *, overwrite: bool) -> None:
    draft = path.with_name(f"{path.name}.new")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already. Name another file, or add --overwrite.")
    try:
        # Although nothing in it is secret, only this user decides who gets it.
        # O_EXCL: in a folder like /tmp, a link of this name would lead to a file of somebody else.
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with (
            os.fdopen(descriptor, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, content in parts.items():
                is_text = isinstance(content, str)
                text = content if is_text else json.dumps(content, indent=2) + "\n"
                archive.writestr(name, str(text))
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}. Name a file in a folder that can be "
            "written."
        ) from None


def _redacted(diagnosis: Diagnosis, redactor: Redactor) -> object:
    whole = doctor_json(diagnosis, exit_code=diagnosis.exit_code, bundle=None)

    def redacted(check: CheckJson) -> CheckJson:
        message, what_to_do = redactor.text(check["message"]), redactor.text(check["what_to_do"])
        return {**check, "message": message, "what_to_do": what_to_do}

    return {**whole, "checks": [redacted(check) for check in whole["checks"]]}


def _settings_json(configuration: Configuration | None) -> dict[str, object]:
    """Return every setting with a value that tells nothing about anybody."""
    if configuration is None:
        return {}
    from_variables = set(configuration.variables.values())
    default = Settings()
    values_by_setting: dict[str, object] = {}
    for path in sorted(setting_paths()):
        value = _value_at(configuration.settings, path)
        source = "variable" if path in from_variables else "file"
        if value == _value_at(default, path) and path not in from_variables:
            source = "default"
        values_by_setting[".".join(path)] = {"value": _public_value(path, value), "from": source}
    return {
        "file": "none" if configuration.file is None else "there",
        "problems": len(configuration.read.problems),
        "settings": values_by_setting,
    }


def _value_at(settings: object, path: SettingPath) -> Any:
    value: Any = settings
    for name in path:
        value = getattr(value, name)
    return value


def _public_value(path: SettingPath, value: object) -> object:
    if isinstance(value, Enum):
        return str(value.value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, str) and path in _CHOICES:
        return value
    if isinstance(value, str) and path in (("zoho", "api_url"), ("zoho", "accounts_url")):
        return data_center_of(value) or "(another server)"
    if isinstance(value, list | tuple | set | frozenset | Mapping):
        return f"({len(value)})"
    return "(set)"


def _private_settings(settings: Settings) -> list[str]:
    """Return the texts of the settings that may be private: names, ids, addresses, secrets."""
    texts = []
    for path in setting_paths():
        value = _value_at(settings, path)
        secret = getattr(value, "get_secret_value", None)
        if secret is not None:
            texts.append(str(secret()))
        elif isinstance(value, Path):
            # One name alone, such as `state`, is a word that other texts have too.
            texts.append(str(value.absolute()))
        elif isinstance(value, str) and path not in _CHOICES and not isinstance(value, Enum):
            texts.append(value)
        elif isinstance(value, tuple):
            texts += [str(one) for one in value if isinstance(one, str)]
    return texts


def _log_tail(settings: Settings, redactor: Redactor) -> str:
    """Return the last lines of the log; empty when there is none."""
    with suppress(OSError, BatchlockError):
        path = settings.state / "logs" / "batchlock.log"
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
        lines = text.splitlines()
        # The first one may have lost its beginning.
        whole = lines if size <= _LOG_BYTES else lines[1:]
        return redactor.log("\n".join(whole[-_LOG_LINES:])) + "\n"
    return ""
