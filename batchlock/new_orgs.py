"""Check what a person says about an org before it is stored, and read many from a spreadsheet.

options of `orgs add`, or a row of a spreadsheet ─▶ values by path ─▶ StoredOrg and its secrets
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from batchlock.config import Settings, replaced
from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.org import StoredOrg
from batchlock.zoho.settings import SECRETS, Grant, ZohoSettings

# The path of a setting, by the title of its column.
_PATHS: Mapping[str, tuple[str, ...]] = {
    "name": ("org",),
    **{name: ("zoho", name) for name in ("data_center", "environment", "api_url", "accounts_url")},
    **{name: ("zoho", name) for name in (*SECRETS, "organization_id", "grant")},
    "max_in_flight": ("limits", "max_in_flight"),
    "four_eyes": ("web", "four_eyes"),
}
COLUMNS = tuple(_PATHS)

# Sections whose settings may differ from org to org. The others belong to the machine; a proxy may
# hold a password, which would not be sealed.
SECTIONS = ("limits", "retry", "stop", "input", "results")
_OWN_COLUMNS = ("data_center", "environment", "api_url", "accounts_url")
_NULL_TEXTS = ("", "null", "~")
# A number of more digits has lost some of them in a spreadsheet.
_INEXACT_FROM = 10**15


@dataclass(frozen=True, slots=True)
class NewOrg:
    """An org to be stored, with its secrets by field; without secrets, the stored ones are kept."""

    org: StoredOrg
    secrets: Mapping[str, SecretStr]


def new_org(
    values: Mapping[tuple[str, ...], str],
    secrets: Mapping[str, SecretStr],
    *,
    stored: StoredOrg | None,
    others: Sequence[str],
    source: Callable[[tuple[str, ...]], str],
) -> NewOrg:
    """Return an org with the settings in `values`, by path and written as in a configuration.

    With the `stored` org of the same name, a setting that is not in `values` is kept. `others` are
    the names of all stored orgs. Raises UsageError that lists every problem; `source` returns where
    a value comes from.
    """
    all_values: dict[tuple[str, ...], Any] = {} if stored is None else stored.configuration
    for path, value in values.items():
        all_values[path] = None if value in _NULL_TEXTS else value
    filled_values = {path: value for path, value in all_values.items() if value is not None}
    for_check = filled_values | {("zoho", field): secret for field, secret in secrets.items()}
    if (client_id := secrets.get("client_id")) is not None:
        for_check["zoho", "client_id"] = client_id.get_secret_value()
    settings = replaced(Settings(), for_check, source=source)
    name = settings.org
    for other in others:
        if other != name and other.casefold() == name.casefold():
            raise UsageError(
                f"{source(('org',))}: {name} differs from the org {other} only in capital letters, "
                "and some systems take both for the same folder. Choose another name."
            )
    sections: dict[str, dict[str, Any]] = {}
    for path, value in filled_values.items():
        if len(path) == 2 and path[1] not in _OWN_COLUMNS:
            sections.setdefault(path[0], {})[path[1]] = value
    zoho = settings.zoho
    org = StoredOrg(
        name=name,
        data_center=zoho.data_center,
        environment=zoho.environment,
        api_url=zoho.api_url,
        accounts_url=zoho.accounts_url,
        settings=sections,
    )
    return NewOrg(org, secrets)


def values_of_zoho(zoho: ZohoSettings) -> dict[tuple[str, ...], str]:
    """Return the settings of a section `zoho` that are not secrets, by path."""
    names = (*_OWN_COLUMNS, "organization_id", "api_version")
    values = {("zoho", name): getattr(zoho, name) for name in names}
    return grant_value(zoho.grant) | {
        path: value for path, value in values.items() if value is not None
    }


def grant_value(grant: Grant) -> dict[tuple[str, ...], str]:
    """Return what a stored org holds of the grant of its sign-in: nothing for a refresh token."""
    return {("zoho", "grant"): "null" if grant is Grant.REFRESH_TOKEN else grant.value}


def parse_setting(text: str) -> tuple[tuple[str, ...], str]:
    """Return path and value of a text such as `limits.keep_credits=500`. Raises UsageError."""
    path, equals, value = text.partition("=")
    section, dot, key = path.strip().partition(".")
    if not equals or not dot:
        raise UsageError(
            f'--set "{path.strip()}": it is SECTION.KEY=VALUE, such as limits.keep_credits=500.'
        )
    if section not in SECTIONS and (section, key) != ("zoho", "api_version"):
        raise UsageError(
            f"--set {section}.{key}: this setting is the same for all orgs, or has an option of "
            f"its own. Set those of {', '.join(SECTIONS)}, or zoho.api_version."
        )
    return (section, key), value.strip()


def read_orgs(file: Path, stored: Sequence[StoredOrg], *, update: bool) -> list[NewOrg]:
    """Return the orgs of a spreadsheet, one a row; COLUMNS are the titles, in any order.

    An empty cell leaves a setting at its default or, with `update`, as it is stored. Raises
    UnreadableFile, and UsageError that lists the problems of all rows.
    """
    table = list(_rows(file))
    titles = [_title(cell) for cell in table[0][1]] if table else []
    problems = [*_title_problems(titles)]
    known = {org.name: org for org in stored}
    orgs: list[NewOrg] = []
    if not problems:
        for number, cells in table[1:]:
            row = f"row {number}"
            texts: dict[str, str] = {}
            for title, cell in zip(titles, cells, strict=False):
                if isinstance(cell, int | float) and abs(cell) >= _INEXACT_FROM:
                    problems.append(
                        f"{row}, {title}: the spreadsheet has rounded this number. Format the "
                        "cells of the column as text, and write it again."
                    )
                elif text := _text(cell):
                    texts[title] = text
            if not texts:
                continue
            name = texts.get("name", "")
            if name in known and not update:
                problems.append(
                    f"{row}, name: there is an org {name} already. Add --update to change it."
                )
                continue
            try:
                org = _org_of_row(row, texts, known.get(name), list(known))
            except UsageError as error:
                problems += str(error).splitlines()
            else:
                orgs.append(org)
    names = Counter(org.org.name.casefold() for org in orgs)
    problems += (
        f"name: {name} stands in {count} rows. Keep one."
        for name, count in names.items()
        if count > 1
    )
    if problems:
        raise UsageError("\n".join([f"{file.name}: nothing was imported.", *problems]))
    return orgs


def _org_of_row(
    row: str, texts: Mapping[str, str], stored: StoredOrg | None, others: Sequence[str]
) -> NewOrg:
    secrets = {field: SecretStr(texts[field]) for field in SECRETS if field in texts}
    is_client_alone = texts.get("grant") == Grant.CLIENT_CREDENTIALS
    needed = Grant.CLIENT_CREDENTIALS.secrets if is_client_alone else SECRETS
    if is_client_alone and "refresh_token" in secrets:
        raise UsageError(
            f"{row}, refresh_token: the grant client_credentials has none. Empty the cell."
        )
    more = ("organization_id",) if is_client_alone else ()
    missing = [title for title in ("name", *needed, *more) if title not in texts]
    needs_sign_in = stored is None or 0 < len(secrets) < len(needed)
    if needs_sign_in and missing:
        raise UsageError(
            "\n".join(f"{row}, {title}: the cell is empty. Fill it in." for title in missing)
        )
    return new_org(
        {_PATHS[title]: text for title, text in texts.items() if title not in SECRETS},
        secrets,
        stored=stored,
        others=others,
        source=lambda path: f"{row}, {'name' if path == ('org',) else path[-1]}",
    )


def _title_problems(titles: Sequence[str]) -> Iterator[str]:
    expected = f"The columns are {', '.join(COLUMNS)}."
    if "name" not in titles:
        yield f"row 1: there is no column name. {expected}"
        return
    for title, count in Counter(filter(None, titles)).items():
        if title not in _PATHS:
            yield f"row 1: there is no column {title}. {expected}"
        elif count > 1:
            yield f"row 1: the column {title} is there {count} times. Keep one."


def _title(cell: object) -> str:
    return _text(cell).casefold().replace(" ", "_").replace("-", "_")


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()


def _rows(file: Path) -> Iterator[tuple[int, Sequence[object]]]:
    """Yield the rows of a spreadsheet with their numbers, the titles first."""
    try:
        if file.suffix.casefold() in (".csv", ".tsv", ".txt"):
            yield from _rows_of_text(file)
        else:
            yield from _rows_of_workbook(file)
    except OSError as error:
        raise UnreadableFile(
            f"{file} cannot be read: {error.strerror or error}. Check its path, and who may read "
            "it."
        ) from None


def _rows_of_text(file: Path) -> Iterator[tuple[int, Sequence[object]]]:
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        # Without the cause, which holds the content of the file.
        raise UnreadableFile(f"{file} is not UTF-8 text. Save it as CSV UTF-8.") from None
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    # A quotation mark without its end is an error in strict mode only, or else the rest of the file
    # would silently become one cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from enumerate(reader, 1)  # a row of several lines is one row in a spreadsheet
    except csv.Error:
        raise UnreadableFile(
            f"{file}, line {reader.line_num}: a quotation mark is wrong. Correct the line."
        ) from None


def _rows_of_workbook(file: Path) -> Iterator[tuple[int, Sequence[object]]]:
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    file.open("rb").close()  # the parser has no reason for a file that cannot be opened
    try:
        with CalamineWorkbook.from_path(file) as workbook:
            visible = [
                sheet.name
                for sheet in workbook.sheets_metadata
                if sheet.visible is SheetVisibleEnum.Visible
            ]
            if len(visible) != 1:
                raise UsageError(
                    f"{file.name} has {len(visible)} visible sheets, and the orgs must be in the "
                    "only one. Remove the others."
                )
            yield from enumerate(workbook.get_sheet_by_name(visible[0]).iter_rows(), 1)
    except CalamineError as error:
        raise UnreadableFile(
            f"{file} is no workbook that can be read. Save it as .xlsx, or as CSV UTF-8."
        ) from error
