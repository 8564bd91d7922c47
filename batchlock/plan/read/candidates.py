"""The encodings in which spreadsheets are saved, and the languages that each is used for."""

from dataclasses import dataclass

_WEST = (
    "en", "fr", "de", "es", "pt", "it", "nl", "sv", "da", "nb", "fi", "is", "ca", "gl", "eu", "sq",
    "ga", "et",
)  # fmt: skip
_CENTRAL = ("pl", "cs", "sk", "hu", "ro", "sl", "hr")
_CYRILLIC = ("ru", "uk", "be", "bg", "sr", "mk")
_BALTIC = ("lt", "lv", "et")
WITHOUT_ALPHABET = ("zh_hans", "zh_hant", "ja", "ko", "th")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An encoding in which spreadsheets are saved, with the languages that it is used for."""

    codec: str
    name: str
    """As it is given to --encoding."""
    label: str
    languages: tuple[str, ...]
    cost: float

    @property
    def is_latin(self) -> bool:
        """Whether words in ASCII belong to its languages."""
        return self.languages[0] in _LATIN


_LATIN = {*_WEST, *_CENTRAL, *_BALTIC, "tr", "vi"}
# Costs: Windows 0; the ISO sets 2, which Unix and old mail have; the Mac 3; DOS 5.
WESTERN = Candidate("cp1252", "windows-1252", "Western European (Windows-1252)", _WEST, 0)
CANDIDATES = (
    WESTERN,
    Candidate("cp1250", "windows-1250", "Central European (Windows-1250)", _CENTRAL, 0),
    Candidate("cp1251", "windows-1251", "Cyrillic (Windows-1251)", _CYRILLIC, 0),
    Candidate("cp1253", "windows-1253", "Greek (Windows-1253)", ("el",), 0),
    Candidate("cp1254", "windows-1254", "Turkish (Windows-1254)", ("tr",), 0),
    Candidate("cp1255", "windows-1255", "Hebrew (Windows-1255)", ("he",), 0),
    Candidate("cp1256", "windows-1256", "Arabic (Windows-1256)", ("ar", "fa"), 0),
    Candidate("cp1257", "windows-1257", "Baltic (Windows-1257)", _BALTIC, 0),
    Candidate("cp1258", "windows-1258", "Vietnamese (Windows-1258)", ("vi",), 0),
    Candidate("cp874", "windows-874", "Thai (Windows-874)", ("th",), 0),
    Candidate("gb18030", "gb18030", "Chinese, simplified (GB 18030, GBK)", ("zh_hans",), 0),
    Candidate("cp950", "big5", "Chinese, traditional (Big5)", ("zh_hant",), 0),
    Candidate("cp932", "shift-jis", "Japanese (Shift-JIS)", ("ja",), 0),
    Candidate("cp949", "euc-kr", "Korean (EUC-KR)", ("ko",), 0),
    Candidate("euc_jp", "euc-jp", "Japanese (EUC-JP)", ("ja",), 2),
    Candidate("iso8859-15", "iso-8859-15", "Western European (ISO 8859-15)", _WEST, 3),
    Candidate("iso8859-2", "iso-8859-2", "Central European (ISO 8859-2)", _CENTRAL, 2),
    Candidate("koi8-r", "koi8-r", "Cyrillic (KOI8-R)", ("ru", "bg", "uk", "be"), 2),
    Candidate("koi8-u", "koi8-u", "Ukrainian (KOI8-U)", ("uk", "be"), 3),
    Candidate("iso8859-5", "iso-8859-5", "Cyrillic (ISO 8859-5)", _CYRILLIC, 2),
    Candidate("iso8859-6", "iso-8859-6", "Arabic (ISO 8859-6)", ("ar",), 2),
    Candidate("iso8859-7", "iso-8859-7", "Greek (ISO 8859-7)", ("el",), 2),
    Candidate("iso8859-8", "iso-8859-8", "Hebrew (ISO 8859-8)", ("he",), 2),
    Candidate("iso8859-9", "iso-8859-9", "Turkish (ISO 8859-9)", ("tr",), 2),
    Candidate("iso8859-13", "iso-8859-13", "Baltic (ISO 8859-13)", _BALTIC, 3),
    Candidate("mac-roman", "mac-roman", "Western European (Mac Roman)", _WEST, 3),
    Candidate("mac-latin2", "mac-latin2", "Central European (Mac)", _CENTRAL, 3),
    Candidate("mac-cyrillic", "mac-cyrillic", "Cyrillic (Mac)", _CYRILLIC, 3),
    Candidate("mac-greek", "mac-greek", "Greek (Mac)", ("el",), 3),
    Candidate("mac-turkish", "mac-turkish", "Turkish (Mac)", ("tr",), 3),
    Candidate("cp850", "cp850", "Western European (DOS 850)", _WEST, 5),
    Candidate("cp437", "cp437", "Western European (DOS 437)", _WEST, 5),
    Candidate("cp852", "cp852", "Central European (DOS 852)", _CENTRAL, 5),
    Candidate("cp866", "cp866", "Cyrillic (DOS 866)", _CYRILLIC, 5),
    Candidate("cp737", "cp737", "Greek (DOS 737)", ("el",), 5),
    Candidate("cp857", "cp857", "Turkish (DOS 857)", ("tr",), 5),
    Candidate("cp862", "cp862", "Hebrew (DOS 862)", ("he",), 5),
    Candidate("cp720", "cp720", "Arabic (DOS 720)", ("ar",), 5),
    Candidate("cp775", "cp775", "Baltic (DOS 775)", _BALTIC, 5),
)
UTF_8 = Candidate(
    "utf-8",
    "utf-8",
    "UTF-8",
    (*_WEST, *_CENTRAL, *_CYRILLIC, "lt", "lv", "tr", "el", "he", "ar", "fa"),
    0,
)
