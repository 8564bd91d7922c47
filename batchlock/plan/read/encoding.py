"""Find out how a text file is encoded, looking at all of it."""

import codecs
import re
from io import BytesIO, TextIOWrapper
from pathlib import Path

from batchlock.core.errors import UnreadableFile, UsageError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PIECE = 1 << 20
_SAVE_AS = 'Save it from the spreadsheet program as "CSV UTF-8".'
_BY_CHANCE = re.compile(
    rb"(?<![\x80-\xff])(?:\xdf[\x80\x82-\x8c\x8e\x91-\x9c\x9e-\xbf]"
    rb"|(?<=[a-z])[\xe0-\xef]\xa0[\x96\x97\xbb]"
    rb"|(?<=[A-Z])(?:\xc5\x85(?![A-Z])|[\xc7-\xcb\xd2-\xde][\x85\xa0])"
    rb"|(?<=[A-Z]{2})[\xc7-\xcd\xd2-\xde][\x85\x92\x96\x97\x99\xa0\xae]"
    rb"|(?<=[ \d])[\xd7\xd8]\xa0(?=\d))(?![\x80-\xff])"
)
"""Ends of words in Windows-1252 that read as UTF-8 too: `Spaß…`, `café »`, `REFUSÉ !`.

Only where what it is in UTF-8 never stands alone behind a capital letter, as Š does in `TOMAŠ`,
Ż in `SPRZEDAŻ`, İ in `VERGİ`, Ė in `SUTARTĖ` and ș in `Aș`.
"""
_SURELY_UTF8 = re.compile(
    rb"[\xc2\xc3][\x80-\xbf]|\xe2[\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
    rb"|(?:[\xc4-\xde][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}){2}"
)
"""What nobody means in Windows-1252: the letters of Europe, or two others side by side."""
_NUL = "\0"
_UNREADABLE = "\ufffd"


def detect_encoding(path: Path, wanted: str) -> str:
    """Return the encoding of a file, each byte of which it is known to fit.

    `wanted` is a name that Python knows, or auto: UTF-8, or UTF-16 with its mark, else
    Windows-1252, also where that fits UTF-8 by chance. Raises UnreadableFile naming the line that
    does not fit, also when some lines are in UTF-8 and others are not.
    """
    encoding = _marked(path) if wanted.strip().casefold() == "auto" else _known(wanted)
    fault = _first_fault(path, encoding or "utf-8")
    if encoding is None and (fault == _UNREADABLE or (not fault and _fits_by_chance(path))):
        _refuse_a_mixture(path)
        encoding = "windows-1252"
        fault = _first_fault(path, encoding)
    encoding = encoding or "utf-8"
    if fault is not None:
        raise _refusal(path, encoding, fault)
    return encoding


def _known(wanted: str) -> str:
    try:
        TextIOWrapper(BytesIO(), wanted)  # refuses names such as hex, which stand for no text
        name = codecs.lookup(wanted).name
    except (LookupError, ValueError) as error:
        raise UsageError(
            f'There is no encoding named "{wanted}". Usual ones are auto, utf-8, utf-16, '
            "windows-1252 and iso-8859-15."
        ) from error
    return "utf-8-sig" if name == "utf-8" else wanted


def _marked(path: Path) -> str | None:
    """Return the encoding that the byte order mark tells."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _first_fault(path: Path, encoding: str) -> str | None:
    """Return the kind of the first character that is in no text; None when all are."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while True:
            piece = file.read(_PIECE)
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeError:
                return _UNREADABLE
            if _NUL in text:
                return _NUL
            if not piece:
                return None


def _fits_by_chance(path: Path) -> bool:
    """Say whether all that is not ASCII in a file in UTF-8 is likelier to be Windows-1252."""
    found = False
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            piece += file.readline(_PIECE)
            if not piece.isascii():
                if not _BY_CHANCE.sub(b"", piece).isascii():
                    return False
                found = True
    return found


def _refuse_a_mixture(path: Path) -> None:
    """Raise when some of the text is in UTF-8 and some is not."""
    first: dict[bool, int] = {}
    # In Latin-1 every byte is a character, so that lines can be told apart before they are read.
    with path.open(encoding="latin-1") as file:
        for number, text in enumerate(iter(lambda: file.readline(_PIECE), ""), 1):
            if text.isascii():
                continue
            line = text.encode("latin-1")
            is_utf8 = _is_utf8(line)
            if is_utf8 is None:
                continue
            first.setdefault(is_utf8, number)
            if len(first) > 1:
                raise _mixture(
                    path,
                    number,
                    f"{'' if is_utf8 else 'not '}in UTF-8, unlike line {first[not is_utf8]}",
                )
            if not is_utf8 and _SURELY_UTF8.search(line):
                raise _mixture(path, number, "partly in UTF-8 and partly not")


def _mixture(path: Path, number: int, what: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path.name}, line {number}: this line is {what}, so the file has been put together from "
        "texts in different encodings. Open it, mend the odd letters and save it as UTF-8."
    )


def _is_utf8(line: bytes) -> bool | None:
    """Say whether a line is in UTF-8; None when it may as well be in Windows-1252."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return None if _BY_CHANCE.sub(b"", line).isascii() else True


def _refusal(path: Path, encoding: str, fault: str) -> UnreadableFile:
    try:
        with path.open(encoding=encoding, errors="replace") as file:
            line = next((n for n, text in enumerate(file, 1) if fault in text), 1)
    except UnicodeError:
        line = 1  # UTF-16 that does not say which of its two kinds it is
    name = encoding.removesuffix("-sig").upper()
    what = "holds a NUL character" if fault == _NUL else f"is not in {name}"
    return UnreadableFile(f"{path.name}, line {line}: {what}, so it is no text to read. {_SAVE_AS}")
