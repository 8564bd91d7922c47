"""The names of text encodings, as people write them."""

import codecs
import re
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper

# Where a name means more than Python's codec of that name: programs that say `Shift-JIS` or
# `GB2312` write the larger set of Windows, which reads the smaller one too. So the WHATWG encoding
# standard has it for browsers.
_LARGER_SETS = {
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "euc_kr": "cp949",
}
# `ANSI 1250`, `Windows 1250`, `code page 850`: what Windows, Excel and Access show.
_CODE_PAGE = re.compile(
    r"(?:x-)?(?:ansi|windows|win|ms|microsoft|ibm|dos|oem|cp|codepage|code-page)?-?(\d{3,5})"
)
# Numbers of code pages of Windows that Python has under another name.
_NUMBERED = {
    "10000": "mac_roman",
    "10006": "mac_greek",
    "10007": "mac_cyrillic",
    "10029": "mac_latin2",
    "10081": "mac_turkish",
    "1200": "utf-16",
    "20866": "koi8_r",
    "20932": "euc_jp",
    "21866": "koi8_u",
    "51932": "euc_jp",
    "51949": "cp949",
    "54936": "gb18030",
    "65001": "utf-8",
    "936": "gb18030",
}
_SPELLINGS = {
    "chinese-simplified": "gb18030",
    "chinese-traditional": "cp950",
    "latin-9": "iso8859-15",
    "mac-os-roman": "mac_roman",
    "mac": "mac_roman",
    "macroman": "mac_roman",
    "sjis": "cp932",
    "windows-31j": "cp932",
    "unicode": "utf-16",
    "x-mac-roman": "mac_roman",
}


# Codecs whose usual name differs from Python's by more than its letters and signs.
_USUAL_NAMES = {
    "utf-8-sig": "UTF-8",
    "cp874": "Windows-874",
    "cp932": "Shift-JIS",
    "cp949": "EUC-KR",
    "cp950": "Big5",
    "big5hkscs": "Big5-HKSCS",
    "gb18030": "GB18030",
    "koi8-r": "KOI8-R",
    "koi8-u": "KOI8-U",
    "mac-latin2": "Mac-Latin2",
    "latin-1": "ISO-8859-1",
    "ascii": "ASCII",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReading:
    """How a text file reads in one of the encodings that it may be in."""

    encoding: str
    """As it is given to --encoding."""
    label: str
    """As people know it, such as `Central European (Windows-1250)`."""
    samples: tuple[str, ...]
    """The first texts of the file that tell the encodings apart, at most three."""


def encoding_named(name: str) -> str:
    """Return the codec that a name stands for; "auto" stays.

    Raises ValueError for a name that nobody uses for a text encoding.
    """
    spelling = re.sub(r"[\s_-]+", "-", name.strip().casefold())
    if spelling == "auto":
        return spelling
    candidates = [_SPELLINGS.get(spelling, spelling), spelling.replace("-", "")]
    if page := _CODE_PAGE.fullmatch(spelling):
        number = page[1]
        iso = f"iso8859-{int(number) - 28590}" if number.startswith("285") else ""
        candidates = [_NUMBERED.get(number) or iso or f"cp{number}", *candidates]
    for candidate in candidates:
        try:
            codec = codecs.lookup(candidate).name
            # Opening a text file refuses codecs such as hex, which decode bytes to bytes.
            TextIOWrapper(BytesIO(), codec)
        except (LookupError, ValueError):
            continue
        return _LARGER_SETS.get(codec, codec)
    raise ValueError(
        "there is no such encoding; usual ones are auto, utf-8, windows-1252, windows-1250, "
        "gb18030, big5, shift-jis and euc-kr"
    )


def usual_name(codec: str) -> str:
    """Return the name of a codec that people know, such as `Windows-1250` for cp1250.

    `--encoding` takes it too.
    """
    spelling = codec.replace("_", "-")
    if spelling in _USUAL_NAMES:
        return _USUAL_NAMES[spelling]
    if re.fullmatch(r"cp125\d", spelling):
        return f"Windows-{spelling.removeprefix('cp')}"
    if spelling.startswith("windows-"):
        return spelling.capitalize()
    if spelling.startswith("mac-"):
        return spelling.title()
    if spelling.startswith("iso8859-"):
        return f"ISO-{spelling.removeprefix('iso')}"
    return spelling.upper()
