"""Read a spreadsheet or a text file as a table.

Text: .csv, .tsv, .txt in UTF-8, UTF-16 or Windows-1252; comma, semicolon, tab or bar.
Workbooks: .xlsx, .xlsm, .xls, .xlsb, .ods. A .zip with one of all these.

The format is detected from the content, never from the file name. Cells keep the type that they
have in the file, and rows keep the number that a spreadsheet program shows for them.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.rows import Field
from batchlock.plan.read import archive, detect, table, text
from batchlock.plan.read.table import ReadOptions, Table
from batchlock.plan.read.workbook import sheets

__all__ = ["ReadOptions", "Table", "read_table"]


def read_table(path: Path, options: ReadOptions) -> Table:
    """Open a file, find its sheet and header, and return its rows as lazy chunks.

    Raises UnreadableFile when the file is not a table, and UsageError when `options` do not fit
    the file. The chunks read the file while the caller iterates over them, and raise the same
    exceptions.
    """
    _check_column_options(options)
    options = replace(options, file_name=path.name)
    try:
        kind = detect.detect_kind(path)
        if kind is detect.FileKind.ARCHIVE:
            return _table_of_archive(path, options)
        if kind is not None:
            sheet = sheets.open_sheet(path, kind, options)
            return table.build_table(sheet, visible_only=options.visible_only)
        if options.sheet is not None:
            raise UsageError(
                f"{path.name} is a text file: it has no sheets to choose from. Leave --sheet out.",
                page_message=f"{path.name} is a text file: it has no sheets to choose from. Upload "
                "it again.",
            )
        return table.build_table(text.open_sheet(path, options))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(
            f"{path.name}: cannot be opened: {reason}. Check its path, and who may read it."
        ) from error


def _table_of_archive(path: Path, options: ReadOptions) -> Table:
    member = archive.unpack_table(path, options.unpack_folder)
    if detect.detect_kind(member) is detect.FileKind.ARCHIVE:
        raise UnreadableFile(f"{path.name} holds another archive. Unpack it, and use the table.")
    try:
        table_of_member = read_table(member, options)
    except UnreadableFile as error:
        if member.suffix.casefold() != ".txt":
            raise
        # Archives of anything have a readme.txt.
        raise UnreadableFile(
            f"{path.name} is a ZIP archive or a document, not a spreadsheet. Of the one text file "
            f"in it: {error}",
            columns=error.columns,
            samples=error.samples,
            page_message=f"{path.name} is a ZIP archive or a document, not a spreadsheet. Of the "
            f"one text file in it: {error.page_message}",
        ) from error
    return replace(
        table_of_member, reading=replace(table_of_member.reading, archive_member=member.name)
    )


def _check_column_options(options: ReadOptions) -> None:
    """Refuse the name of a field that does not exist, and one column named for two fields."""
    for name in (*options.columns, *options.explicit_columns):
        if name not in set(Field):
            raise UsageError(
                f'There is no field "{name}" to name a column for. The fields are: '
                f"{', '.join(Field)}."
            )
    titles = Counter(options.explicit_columns.values())
    for title, count in titles.items():
        if count > 1:
            raise UsageError(
                f'The column "{title}" is named for more than one field. Name one for each.'
            )
