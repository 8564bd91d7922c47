"""Detect the encoding of a text file, from all of its content.

In this order: a byte order mark; the encoding that the user names; UTF-8; the one chosen earlier
for a file with the same titles; on Windows the code page of the machine; Windows-1252 by the rule
of `readings`. The earlier choice and the machine's code page count only where no other reading is
clearly likelier. What is left is `Undecided`, and a person has to choose.
"""

import codecs
import locale
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchlock.core.encodings import encoding_named, usual_name
from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.reading import EncodingSource
from batchlock.plan.read.candidates import UTF_8, WESTERN, Candidate
from batchlock.plan.read.line_sample import LineSample
from batchlock.plan.read.readings import (
    MARGIN,
    ScoredReading,
    TextLine,
    compare,
    fits_utf8_by_chance,
    foreign_line,
    likelihood_in,
    margin,
    parse_line,
)
from batchlock.plan.read.strange_signs import has_strange_signs

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A file is read in pieces of this many bytes, so that memory does not grow with its size.
_PIECE = 1 << 20
SAVE_AS = 'Save it from the spreadsheet program as "CSV UTF-8".'

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
# Lines that are scored. More cost time, and the margin grows with each line: 200 give a hundred
# times what is needed.
_SCORED_LINES = 200
# The margin for Windows-1252 that fits UTF-8 by chance: that it fits `_CP1252_THAT_FITS_UTF8` is
# evidence too, and there are two characters beyond ASCII or few more.
_CHANCE_MARGIN = 3.0
# Encodings that are offered. Some read the same, so these are more than a person gets to see.
_MOST_CANDIDATES = 8
# A file with more characters of two bytes is not UTF-8 by chance: of the characters of Chinese and
# Korean encodings one of eight fits, and so does an apostrophe with à of the Mac.
_MOST_BY_CHANCE = 8


@dataclass(frozen=True, slots=True)
class Detected:
    """The encoding of a file, and why it is read so."""

    encoding: str
    source: EncodingSource


@dataclass(frozen=True, slots=True)
class Undecided:
    """A file that is not clearly in one encoding: the possible ones, the likeliest first."""

    candidates: tuple[Candidate, ...]


def machine_encoding() -> str | None:
    """Return the code page in which the programs of this machine save text; None if unknown.

    Only Windows has one: the encoding of a Linux or a Mac says nothing about spreadsheets.
    """
    return locale.getencoding() if sys.platform == "win32" else None


def detect_encoding(
    path: Path, setting: str, *, earlier: str | None = None, machine: str | None = None
) -> Detected | Undecided:
    """Return the encoding of a file, or the encodings that a person has to choose from.

    `setting` is a name of an encoding, or auto. `earlier` is what a person chose for a file with
    the same titles, `machine` the code page of the machine. Raises UnreadableFile, which names the
    line, when the file is not in the encoding that is set, or has lines in different encodings;
    UsageError for an unknown name.
    """
    try:
        encoding = encoding_named(setting)
    except ValueError as error:
        raise UsageError(f'There is no encoding named "{setting}": {error}.') from error
    source = EncodingSource.OPTION
    if encoding == "auto":
        encoding, source = _encoding_of_mark(path) or "utf-8", EncodingSource.MARK
    fault = _first_fault(path, encoding)
    if source is EncodingSource.OPTION or encoding != "utf-8":
        if fault is not None:
            raise _fault_error(path, encoding, fault, source)
        # utf-8 keeps a byte order mark in the first title; utf-8-sig also reads files without.
        return Detected("utf-8-sig" if encoding == "utf-8" else encoding, source)
    if fault == _NUL:
        raise _fault_error(path, encoding, fault, source)
    if not fault and not _fits_utf8_only_by_chance(path):
        lines = _few_pairs(path)
        if not lines or not fits_utf8_by_chance(lines):
            return Detected(encoding, EncodingSource.CONTENT)
        return Undecided((*_whole_file(path, compare(lines)), UTF_8))
    return _detect_by_letters(path, earlier, machine, needed=MARGIN if fault else _CHANCE_MARGIN)


def _detect_by_letters(
    path: Path, earlier: str | None, machine: str | None, *, needed: float
) -> Detected | Undecided:
    """Detect the encoding of a file that is not in UTF-8; `needed` is the margin of the rule."""
    sample = LineSample()
    watched = sample.watch(_lines_beyond_ascii(path))
    mixture = _mixture(watched)
    deque(watched, maxlen=0)  # the lines behind the mixture belong to the sample too
    parsed = {number: parse_line(line) for number, line in sample.spread(_SCORED_LINES)}
    numbers, lines = list(parsed), list(parsed.values())
    readings = compare(lines)
    # In other encodings than Windows-1252, lines look like UTF-8 by chance.
    if mixture and (not readings or readings[0].likelihood < _mixed_likelihood(sample) + MARGIN):
        raise _mixture_error(path, mixture.line, mixture.description)
    for name, source in ((earlier, EncodingSource.EARLIER), (machine, EncodingSource.SYSTEM)):
        reading = _reading_in(readings, name)
        if reading and margin(readings, reading) >= 0 and not _first_fault(path, reading.codec):
            return Detected(_display_name(reading.codec), source)
    western = _reading_in(readings, WESTERN.codec)
    if western and margin(readings, western) >= needed and not _first_fault(path, western.codec):
        if stranger := foreign_line(lines):
            position, candidate = stranger
            raise _mixture_error(
                path,
                numbers[position],
                f"likelier in {candidate.label}, unlike the other lines",
            )
        if has_strange_signs(path):
            return Undecided(tuple(_whole_file(path, readings)))
        return Detected(_display_name(WESTERN.codec), EncodingSource.GUESS)
    return Undecided(tuple(_whole_file(path, readings)))


def _whole_file(path: Path, readings: Iterable[ScoredReading]) -> Iterator[Candidate]:
    """Yield the first encodings in which the whole file can be decoded."""
    rest = _MOST_CANDIDATES
    for reading in readings:
        if rest and not _first_fault(path, reading.codec):
            rest -= 1
            yield reading.candidate


def _mixed_likelihood(sample: LineSample) -> float:
    """Return how likely the lines are when those in UTF-8 are read so, the others as Western."""
    lines = []
    for _, line in sample.spread(_SCORED_LINES):
        try:
            mended = line.decode().encode("cp1252", "replace")
        except UnicodeDecodeError:
            mended = _CERTAINLY_UTF8.sub(
                lambda match: match[0].decode(errors="replace").encode("cp1252", "replace"), line
            )
        lines.append(parse_line(mended))
    return likelihood_in(WESTERN, lines)


def _reading_in(readings: Sequence[ScoredReading], name: str | None) -> ScoredReading | None:
    """Return the reading in an encoding by its name, if it is a possible one."""
    if name is None:
        return None
    try:
        codec = encoding_named(name)
    except ValueError:  # a code page that Python does not know
        return None
    return next((reading for reading in readings if reading.codec == codec), None)


def _display_name(codec: str) -> str:
    return "windows-1252" if codec == "cp1252" else codec


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


def _few_pairs(path: Path) -> list[TextLine]:
    """Return the lines beyond ASCII of a UTF-8 file that has only a few characters of two bytes.

    A file with more of them, or with a character of three bytes, gives none: it is UTF-8.
    """
    lines = []
    rest = _MOST_BY_CHANCE
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            piece += file.readline(_PIECE)
            if piece.isascii():
                continue
            for line in piece.splitlines():
                if not line.isascii():
                    rest -= sum(byte >= 0x80 for byte in line) // 2
                    if rest < 0 or max(line) >= 0xE0:
                        return []
                    lines.append(parse_line(line))
    return lines


@dataclass(frozen=True, slots=True)
class _Mixture:
    """A line that is in UTF-8 and others that are not, or the other way round."""

    line: int
    description: str


def _mixture(lines: Iterable[tuple[int, bytes]]) -> _Mixture | None:
    """Return the first line that is in another encoding than the lines before it."""
    first_line: dict[bool, int] = {}  # by whether the line is in UTF-8
    for number, line in lines:
        is_utf8 = _is_utf8(line)
        if is_utf8 is None:
            continue
        first_line.setdefault(is_utf8, number)
        if len(first_line) > 1:
            negation = "" if is_utf8 else "not "
            return _Mixture(number, f"{negation}in UTF-8, unlike line {first_line[not is_utf8]}")
        if not is_utf8 and _CERTAINLY_UTF8.search(line):
            return _Mixture(number, "partly in UTF-8 and partly not")
    return None


def _lines_beyond_ascii(path: Path) -> Iterator[tuple[int, bytes]]:
    # In Latin-1 every byte is a character, so the file can be split into lines before its encoding
    # is known, and at every kind of line end.
    with path.open(encoding="latin-1") as file:
        for number, text in enumerate(iter(lambda: file.readline(_PIECE), ""), 1):
            if not text.isascii():
                yield number, text.encode("latin-1")


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


def _fault_error(path: Path, encoding: str, fault: str, source: EncodingSource) -> UnreadableFile:
    try:
        with path.open(encoding=encoding, errors="replace") as file:
            line = next((n for n, text in enumerate(file, 1) if fault in text), 1)
    except UnicodeError:
        line = 1  # UTF-16 without a byte order mark, which even errors="replace" refuses
    if fault == _NUL:
        return UnreadableFile(
            f"{path.name}, line {line}: holds a NUL character, so it cannot be read as text. "
            f"{SAVE_AS}"
        )
    name = usual_name(encoding)
    fact = f"{path.name}, line {line}: this line is not in {name}"
    if source is EncodingSource.MARK:
        return UnreadableFile(f"{fact}, which its first bytes announce. {SAVE_AS}")
    return UnreadableFile(
        f"{fact}, the encoding that --encoding or input.encoding names. "
        f"Name another, or leave it out. {SAVE_AS}",
        page_message=f"{fact}, the encoding that was chosen. Choose another one below, or "
        f"{SAVE_AS[0].lower()}{SAVE_AS[1:]}",
    )
