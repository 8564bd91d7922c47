from pathlib import Path

import pytest
from support.tables import HEADER, ROW, csv_text, load, refusal, usage_error, write_text

from batchlock.core.reading import EncodingSource
from batchlock.plan.read.encoding import Detected, Undecided, detect_encoding
from batchlock.plan.read.strange_signs import has_strange_signs


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("cp1252", "windows-1252"),
    ],
)
def test_the_encoding_is_detected(tmp_path: Path, encoding: str, name: str) -> None:
    path = write_text(tmp_path, csv_text(HEADER, (*ROW[:3], "Prüfung: 5 €")).encode(encoding))
    loaded = load(path)
    assert loaded.rows == {2: (*ROW[:3], "Prüfung: 5 €")}
    assert loaded.table.encoding == name
    assert loaded.table.sheet is None


def test_big_endian_utf_16_is_read(tmp_path: Path) -> None:
    content = b"\xfe\xff" + csv_text(HEADER, (*ROW[:3], "審査中")).encode("utf-16-be")
    assert load(write_text(tmp_path, content)).rows == {2: (*ROW[:3], "審査中")}


def test_one_byte_in_the_last_of_many_lines_decides_for_windows_1252(tmp_path: Path) -> None:
    rows = csv_text(HEADER, *[ROW] * 30_000)
    path = write_text(tmp_path, rows.encode() + b"Leads,5843104000000425565,,caf\xe9")
    loaded = load(path)
    assert loaded.table.encoding == "windows-1252"
    assert loaded.rows[30_002][3] == "café"


@pytest.mark.parametrize(
    "reason",
    [
        "REFUSÉ\xa0!",
        "STATUT REFUSÉ\xa0: ATTENTE",
        "DOSSIER FERMÉ…",
        "QUALITÉ\u2019",
        "CAFÉ™",
        "SOCIÉTÉ® X",
        "MENÜ\u2013A",
        "CONTROLLATO LUNEDÌ…",
        "PERÒ\xa0NO",
        "VOCÊ…",
        "REVISIÓ\xa0?",
        "GIÙ…",
        "DET GÅR PÅ…",
        "Spaß…",
        "payé\xa0\u2013 reste",
        "Paket 2 \xd7\xa03 / Ø\xa05",
    ],
)
@pytest.mark.parametrize(
    "other", ["plain", "qualité für", "«VALIDITÉ DE LA FACTURE»", "REFUSÉ\xa0?"]
)
def test_windows_1252_that_fits_utf_8_by_chance_is_read_as_windows_1252(
    tmp_path: Path, reason: str, other: str
) -> None:
    path = write_text(
        tmp_path, csv_text(HEADER, (*ROW[:3], reason), (*ROW[:3], other)).encode("cp1252")
    )
    loaded = load(path)
    assert [row[3] for row in loaded.rows.values()] == [reason, other]
    assert loaded.table.encoding == "windows-1252"


SINGLE_LETTERS = (
    "проверка|в ПРОВЕРКЕ и|Δ|Δέλτα|Đã duyệt|CƠ QUAN|đi|VERGİ|TATİL|İstanbul|dağ|ŞUBE|Və|Wǒ|Yɔ|"
    "středa|Dvořák|KOŘ|Při tom|SPRZEDAŻ|STRAŻ|Są|Tę|KOŃ|łódź|TOMAŠ|VAŠ PAŠTAS|SUTARTĖ|VIETĒ|AKMEŅI|"
    "Aș vrea|ȘI|ŢARĂ|IDŐ|GYŰJTŐ|Hawai\u02bbi|KO\u02bbP|œuvre|CŒUR|NÃO|São|Ångström|naïve|€|™|😀|"
    "X\u0305|E\u0301|IDO\u030b|審査中|a項|頻|नमस्ते|سلام|5 م|שלום"
)


@pytest.mark.parametrize("reason", SINGLE_LETTERS.split("|"))
def test_a_single_letter_of_any_script_is_read_as_utf_8(tmp_path: Path, reason: str) -> None:
    loaded = load(write_text(tmp_path, csv_text(HEADER, (*ROW[:3], reason), ROW)))
    assert (loaded.rows[2][3], loaded.table.encoding) == (reason, "utf-8")


@pytest.mark.parametrize(
    ("parts", "line", "other"),
    [
        ((b"a,\xc3\xa9\n", b"plain\n", b"b,\xe9\n"), 4, 2),
        ((b"b,\xe9\r", b"a,\xc3\xa9\r"), 3, 2),
        ((b"a,\xc3\xa9\n", b"cut,\xc3"), 3, 2),
    ],
)
def test_lines_in_different_encodings_are_refused(
    tmp_path: Path, parts: tuple[bytes, ...], line: int, other: int
) -> None:
    end = b"\r" if parts[0].endswith(b"\r") else b"\n"
    path = write_text(tmp_path, b"Module,Record Id,Reason" + end + b"".join(parts))
    message = refusal(path)
    assert message.startswith(f"orders.csv, line {line}:")
    assert f"unlike line {other}" in message


def test_a_letter_across_two_pieces_of_the_file_is_decoded(tmp_path: Path) -> None:
    content = csv_text(HEADER, *[(*ROW[:3], "ü" * 997)] * 1_200)
    loaded = load(write_text(tmp_path, content))
    assert loaded.table.encoding == "utf-8"
    assert {row[3] for row in loaded.rows.values()} == {"ü" * 997}


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        (b"Module,Record Id,Reason\nLeads,1\x002,x\n", "auto", "line 2: holds a NUL"),
        (b"\xff\xfeM\x00\x00\xd8x\x00", "auto", "line 1: this line is not in UTF-16"),
        (
            b"Module,Record Id,Reason\nLeads,1,caf\xe9\n",
            "utf-8",
            "line 2: this line is not in UTF-8",
        ),
        (b"Module,Record Id,Reason\nLeads,1,x\n", "utf-16", "line 1: this line is not in UTF-16"),
    ],
)
def test_bytes_that_are_not_text_are_refused_with_their_line(
    tmp_path: Path, content: bytes, encoding: str, expected: str
) -> None:
    message = refusal(write_text(tmp_path, content), encoding=encoding)
    assert message.startswith(f"orders.csv, {expected}")


def test_the_encoding_can_be_set(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(HEADER, (*ROW[:3], "проверка")).encode("cp1251"))
    loaded = load(path, encoding="cp1251")
    assert loaded.rows[2][3] == "проверка"
    assert loaded.table.encoding == "cp1251"


def test_utf_8_as_a_setting_accepts_a_byte_order_mark(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(HEADER, ROW).encode("utf-8-sig"))
    assert load(path, encoding="UTF8").rows == {2: ROW}


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "", "a\0b"])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    message = usage_error(write_text(tmp_path, csv_text(HEADER, ROW)), encoding=encoding)
    assert "There is no encoding named" in message


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("gbk", ("Keine gültige Auswahl", "Passwort zurücksetzen")),
        ("gbk", ("Das “Passwort” ist ungültig",)),
        ("hp_roman8", ("Vælg nedadpilen i det højre hjørne",)),
        ("hp_roman8", ("mits alleen één datum in het systeem",)),
        ("cp865", ("Dizimplij eo ar gont-mañ.",)),
        ("cp720", ("Mae gan y defnyddiwr bob caniatâd posibl.",)),
        ("cp1257", ("Aksepter klassiske bankoverføringsmetoder",)),
        ("big5", ("Egilearen web orria gune honen barruan…",)),
        ("euc_kr", ("Verander “SITE_TITLE” in die instellings",)),
        ("cp932", ("статичний метод",)),
        ("iso8859-2", ("Seçilen aileleri birleştir",)),
        ("iso8859-15", ("Francúzske južné a antarktické územia",)),
        ("mac_roman", ("oor \u2019n sekonde",)),
        # Turkish, in whose encoding ý is the small i without a dot, beside lines in Estonian and
        # Norwegian.
        ("cp1252", ("Kar-ý Nev", "Uus näidis on üles laaditud", "Näita kõiki üksikuid ridu")),
        ("cp1252", ("Kapalý Curcuna", "Må ikke endres før revisjonen", "Venter på svar")),
    ],
)
def test_signs_that_stand_in_no_word_are_never_read_as_windows_1252(
    tmp_path: Path, encoding: str, texts: tuple[str, ...]
) -> None:
    path = tmp_path / "in.csv"
    path.write_text("Module,Record Id,Reason\n", encoding="ascii")
    with path.open("ab") as file:
        for text in texts:
            file.write(f"Leads,5843104000000425560,{text}\n".encode(encoding))
    assert isinstance(detect_encoding(path, "auto"), Undecided)


@pytest.mark.parametrize(
    ("text", "is_strange"),
    [
        ("Hicaz Dilkeº", True),
        ("Bahasa Punjabi (Tulisan Gurmukhî)", True),
        ("høÉre", True),
        ("umyttyñyz ba", True),
        ("dzieñ", True),
        ("Jôgkauns", True),
        ("trei\u2013 emgefre", True),
        ("señor, España, mañana \u2013 Ein- und Ausgang", False),
        ("ªedd-i Saba", True),
        ("Horizontaal (¡÷)", True),
        ("na hÉireann, an tÚdarás agus ón nÁisiún", False),
        ("JavaScript und OAuth für GitHub, geprüft", False),
        ("Rhône, Hôtel, nº 5, Engº, Profª, 2ª", False),
        ("ný útgáfa, því endurný", False),
        ("Ábyrgð: ÁBYRGÐ", False),
    ],
)
def test_signs_that_stand_in_no_word(tmp_path: Path, text: str, is_strange: bool) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text, encoding="cp1252")
    assert has_strange_signs(path) is is_strange


def test_turkish_with_letters_that_are_the_same_in_windows_1252_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    lines = ("Feltet må fylles ut", "Örnek: Öz", "Hver rad må ha en egen id", "Prøv på nytt")
    text = "".join(f"Leads,5843104000000425560,{line}\n" for line in lines)
    path.write_text(f"Module,Record Id,Reason\n{text}", encoding="cp1252")
    assert detect_encoding(path, "auto") == Detected("windows-1252", EncodingSource.GUESS)


@pytest.mark.parametrize("rows", [30, 90])
def test_a_file_with_many_different_words_is_read_as_windows_1252(
    tmp_path: Path, rows: int
) -> None:
    starts = ("Prüfungs", "Änderungs", "Kündigungs", "Verlängerungs", "Rückzahlungs")
    ends = ("akte", "antrag", "beleg", "bericht", "brief", "datum", "entwurf", "formular", "frist")
    others = ("kopie", "liste", "mappe", "notiz", "ordner", "plan", "stelle", "termin", "vorlage")
    reasons = [f"{start}{end} fehlt" for end in ends + others for start in starts][:rows]
    path = tmp_path / "in.csv"
    text = "".join(f"Leads,5843104000000425560,{reason}\n" for reason in reasons)
    path.write_text(f"Module,Record Id,Reason\n{text}", encoding="cp1252")
    assert detect_encoding(path, "auto") == Detected("windows-1252", EncodingSource.GUESS)
