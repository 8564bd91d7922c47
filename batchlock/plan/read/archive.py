"""Unpack the one table of a .zip, such as the result of a Bulk Read or a part of a backup."""

import atexit
from pathlib import Path, PurePosixPath
from shutil import rmtree
from tempfile import mkdtemp
from zipfile import BadZipFile, ZipFile, ZipInfo

from batchlock.core.errors import UnreadableFile
from batchlock.plan.read.workbook.zip_safety import Package, check_unpacked_size, damaged

# Everything that the reader opens, by the ending of the name. An archive in an archive is not
# opened: that is how zip bombs grow.
_TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
# What macOS and Windows add to an archive: copies of the names with other contents.
_SYSTEM_FOLDER = "__MACOSX"
# Names in a message; a backup has a file for every module.
_MAX_NAMES = 5
# What Windows takes in no name of a file.
_NOT_IN_NAMES = dict.fromkeys(map(ord, '<>:"|?*\\'), "_")


def unpack_table(path: Path, folder: Path | None) -> Path:
    """Unpack the one text file or workbook of an archive into a new folder, and return its path.

    Without a `folder` that the caller deletes, it is one that is deleted when the process ends.

    Raises UnreadableFile when there is none or more than one, when it is encrypted or damaged, and
    when it would become far larger than any table.
    """
    entry = _table_entry(path)
    if entry.flag_bits & 1:
        raise UnreadableFile(
            f"{path.name} is protected with a password. Unpack it, and use the file inside."
        )
    check_unpacked_size(path, [entry])
    name = PurePosixPath(entry.filename.replace("\\", "/")).name.translate(_NOT_IN_NAMES)
    if folder is None:
        temporary = mkdtemp(prefix="batchlock-")
        atexit.register(rmtree, temporary, ignore_errors=True)
        folder = Path(temporary, "table")
    folder.mkdir(parents=True)
    target = folder / name
    with target.open("wb") as file:
        package = Package(path, {entry.filename.casefold(): entry})
        file.writelines(package.pieces(entry.filename, as_markup=False))
    return target


def _table_entry(path: Path) -> ZipInfo:
    try:
        with ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if _is_table(entry)]
    except (BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise damaged(path) from error
    if len(entries) == 1:
        return entries[0]
    if not entries:
        raise UnreadableFile(
            f"{path.name} is a ZIP archive or a document, not a spreadsheet, and there is no text "
            "file or workbook in it. Name the file with the table."
        )
    names = [PurePosixPath(entry.filename).name for entry in entries[:_MAX_NAMES]]
    more = f" and {len(entries) - _MAX_NAMES} more" if len(entries) > _MAX_NAMES else ""
    raise UnreadableFile(
        f"{path.name} is an archive of more than one table: {', '.join(names)}{more}. Unpack it, "
        "and use the one that is meant."
    )


def _is_table(entry: ZipInfo) -> bool:
    place = PurePosixPath(entry.filename.replace("\\", "/"))
    return (
        not entry.is_dir()
        and place.suffix.casefold() in _TABLE_SUFFIXES
        and not place.name.startswith((".", "~$"))
        and _SYSTEM_FOLDER not in place.parts
    )
