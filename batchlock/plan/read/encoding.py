"""Detect the encoding of a text file, from all of its content."""

import codecs
import re
from io import BytesIO, TextIOWrapper
from pathlib import Path

from batchlock.core.errors import UnreadableFile, UsageError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A file is read in pieces of this many bytes, so that memory does not grow with its size.
_PIECE = 1 << 20
_SAVE_AS = 'Save it from the spreadsheet program as "CSV UTF-8".'

# The end of a word in Windows-1252 whose bytes are one valid UTF-8 character too. A file in which
# nothing else is beyond ASCII would decode as UTF-8, with wrong letters. Each alternative is left
# out where the UTF-8 character is a letter that ends words in some language: Š in `TOMAŠ`, Ż in
# `SPRZEDAŻ`, İ in `VERGİ`, Ė in `SUTARTĖ`, ș in `Aș`. The bytes behind the
# letters: \x85 is …, \x92 an apostrophe, \x96 and \x97 dashes, \x99 is ™, \xa0 the no-break space,
# \xae is ®, \xbb is ».
_CP1252_THAT_FITS_UTF8 = re.compile(
    # Alone: with other bytes beyond ASCII beside it, it is a word in another script.
    rb"(?<![\x80-\xff])(?:"
    # `Spaß…`: ß and any character of Windows-1252. In UTF-8 these are N'Ko letters.
    rb"\xdf[\x80\x82-\x8c\x8e\x91-\x9c\x9e-\xbf]"
    # `café »`: French puts a no-break space before » and between a word and a dash.
    rb"|(?<=[a-z])[\xe0-\xef]\xa0[\x96\x97\xbb]"
    # `PÅ…`: in UTF-8 that is Ņ, which stands inside words such as `AKMEŅI`.
    rb"|(?<=[A-Z])(?:\xc5\x85(?![A-Z])"
    # `FERMÉ…`, `REFUSÉ !`
    rb"|[\xc7-\xcb\xd2-\xde][\x85\xa0])"
    # `CAFÉ™`, `SOCIÉTÉ® X`: only after two capitals, since `Wǒ` and `Yɔ` are words.
    rb"|(?<=[A-Z]{2})[\xc7-\xcd\xd2-\xde][\x85\x92\x96\x97\x99\xa0\xae]"
    # The multiplication sign and Ø between numbers: `Ø 5`
    rb"|(?<=[ \d])[\xd7\xd8]\xa0(?=\d)"
    rb")(?![\x80-\xff])"
)
# UTF-8 whose characters in Windows-1252 make no sense, such as `Ã¼` for ü: the letters of western
# Europe, punctuation, emoji, or two characters of any other script side by side.
_CERTAINLY_UTF8 = re.compile(
    rb"[\xc2\xc3][\x80-\xbf]|\xe2[\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
    rb"|(?:[\xc4-\xde][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}){2}"
)
# What makes a file unreadable as text, as `_first_fault` returns it. A NUL decodes in most
# encodings, but no text has one: it is UTF-16 without its mark, or a binary file.
_NUL = "\0"
_UNDECODABLE = "\ufffd"


def detect_encoding(path: Path, setting: str) -> str:
    """Return the encoding in which every byte of the file can be decoded.

    `setting` is a name that Python knows, or auto: UTF-8, or UTF-16 with its byte order mark, else
    Windows-1252, also where that fits UTF-8 by chance. Raises UnreadableFile, which names the
    line, when the file does not fit or has some lines in UTF-8 and others not; UsageError for an
    unknown name.
    """
    encoding = (
        _encoding_of_mark(path)
        if setting.strip().casefold() == "auto"
        else _parse_encoding(setting)
    )
    fault = _first_fault(path, encoding or "utf-8")
    if encoding is None and (
        fault == _UNDECODABLE or (not fault and _fits_utf8_only_by_chance(path))
    ):
        _refuse_mixed_encodings(path)
        encoding = "windows-1252"
        fault = _first_fault(path, encoding)
    encoding = encoding or "utf-8"
    if fault is not None:
        raise _fault_error(path, encoding, fault)
    return encoding


def _parse_encoding(setting: str) -> str:
    try:
        # Opening a text file refuses codecs such as hex, which decode bytes to bytes.
        TextIOWrapper(BytesIO(), setting)
        name = codecs.lookup(setting).name
    except (LookupError, ValueError) as error:
        raise UsageError(
            f'There is no encoding named "{setting}". Usual ones are auto, utf-8, utf-16, '
            "windows-1252 and iso-8859-15."
        ) from error
    # utf-8 keeps a byte order mark as part of the first title; utf-8-sig also reads files without.
    return "utf-8-sig" if name == "utf-8" else setting


def _encoding_of_mark(path: Path) -> str | None:
    """Return the encoding that the byte order mark stands for, if there is one."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for mark, name in _BYTE_ORDER_MARKS if start.startswith(mark)), None)


def _first_fault(path: Path, encoding: str) -> str | None:
    """Return _NUL or _UNDECODABLE, whichever is met first, or None for readable text."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while True:
            piece = file.read(_PIECE)
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeError:
                return _UNDECODABLE
            if _NUL in text:
                return _NUL
            if not piece:
                return None


def _fits_utf8_only_by_chance(path: Path) -> bool:
    """Tell whether everything beyond ASCII in a valid UTF-8 file is likelier to be Windows-1252."""
    has_cp1252 = False
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            piece += file.readline(_PIECE)  # the pattern looks at the bytes on both sides
            if not piece.isascii():
                if not _CP1252_THAT_FITS_UTF8.sub(b"", piece).isascii():
                    return False
                has_cp1252 = True
    return has_cp1252


def _refuse_mixed_encodings(path: Path) -> None:
    """Raise UnreadableFile when some of the text is in UTF-8 and some is not."""
    first_line: dict[bool, int] = {}  # by whether the line is in UTF-8
    # In Latin-1 every byte is a character, so the file can be split into lines before its encoding
    # is known, and at every kind of line end.
    with path.open(encoding="latin-1") as file:
        for number, text in enumerate(iter(lambda: file.readline(_PIECE), ""), 1):
            if text.isascii():
                continue
            line = text.encode("latin-1")
            is_utf8 = _is_utf8(line)
            if is_utf8 is None:
                continue
            first_line.setdefault(is_utf8, number)
            if len(first_line) > 1:
                raise _mixture_error(
                    path,
                    number,
                    f"{'' if is_utf8 else 'not '}in UTF-8, unlike line {first_line[not is_utf8]}",
                )
            if not is_utf8 and _CERTAINLY_UTF8.search(line):
                raise _mixture_error(path, number, "partly in UTF-8 and partly not")


def _mixture_error(path: Path, number: int, description: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path.name}, line {number}: this line is {description}, so the file has been put "
        "together from texts in different encodings. Open it, correct the wrong letters and save "
        "it as UTF-8."
    )


def _is_utf8(line: bytes) -> bool | None:
    """Tell whether a line is in UTF-8; None when it may just as well be in Windows-1252."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return None if _CP1252_THAT_FITS_UTF8.sub(b"", line).isascii() else True


def _fault_error(path: Path, encoding: str, fault: str) -> UnreadableFile:
    try:
        with path.open(encoding=encoding, errors="replace") as file:
            line = next((n for n, text in enumerate(file, 1) if fault in text), 1)
    except UnicodeError:
        line = 1  # UTF-16 without a byte order mark, which even errors="replace" refuses
    name = encoding.removesuffix("-sig").upper()
    problem = "holds a NUL character" if fault == _NUL else f"is not in {name}"
    return UnreadableFile(
        f"{path.name}, line {line}: {problem}, so it cannot be read as text. {_SAVE_AS}"
    )
