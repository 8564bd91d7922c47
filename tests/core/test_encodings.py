import pytest

from batchlock.core.encodings import encoding_named, usual_name
from batchlock.plan.read.candidates import CANDIDATES


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("auto", "auto"),
        ("UTF8", "utf-8"),
        ("windows-1250", "cp1250"),
        ("Windows 1250", "cp1250"),
        ("cp1250", "cp1250"),
        ("1250", "cp1250"),
        ("ansi 1250", "cp1250"),
        ("ANSI_1251", "cp1251"),
        ("code page 850", "cp850"),
        ("Shift-JIS", "cp932"),
        ("shift_jis", "cp932"),
        ("sjis", "cp932"),
        ("Windows-31J", "cp932"),
        ("gb2312", "gb18030"),
        ("GBK", "gb18030"),
        ("cp936", "gb18030"),
        ("Big5", "cp950"),
        ("EUC-KR", "cp949"),
        ("MacRoman", "mac_roman"),
        ("Mac Roman", "mac_roman"),
        ("macintosh", "mac_roman"),
        ("KOI8-R", "koi8_r"),
        ("ISO 8859-2", "iso8859-2"),
        ("latin-1", "iso8859-1"),
        ("28592", "iso8859-2"),
        ("65001", "utf-8"),
    ],
)
def test_an_encoding_is_known_as_people_spell_it(name: str, codec: str) -> None:
    assert encoding_named(name).replace("-", "_") == codec.replace("-", "_")


@pytest.mark.parametrize("name", ["", "utf-9", "hex", "12", "a\0b", "windows-9999"])
def test_what_is_no_text_encoding_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="there is no such encoding"):
        encoding_named(name)


def test_each_encoding_has_a_usual_name_that_the_option_takes() -> None:
    for candidate in CANDIDATES:
        named = encoding_named(usual_name(candidate.codec).lower())
        # The set of Windows holds that of ISO 8859-9.
        assert named == ("cp1254" if candidate.codec == "iso8859-9" else candidate.codec)
    shown = {codec: usual_name(codec) for codec in ("cp1250", "cp932", "gb18030", "utf-8-sig")}
    assert shown == {
        "cp1250": "Windows-1250",
        "cp932": "Shift-JIS",
        "gb18030": "GB18030",
        "utf-8-sig": "UTF-8",
    }
    assert usual_name("iso8859-2") == "ISO-8859-2"
    assert usual_name("mac_roman") == "Mac-Roman"
    assert usual_name("windows-1252") == "Windows-1252"
