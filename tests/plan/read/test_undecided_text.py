from pathlib import Path

import pytest
from support.encoding_table import texts_by_language
from support.reading import plan_in_process, request_for
from support.tables import HEADER, ROW, csv_text, load, refusal, write_text

from batchlock.core.errors import UnreadableFile
from batchlock.core.reading import EncodingSource
from batchlock.plan.read import ReadOptions, read_table
from batchlock.plan.read.encoding import Detected, Undecided, detect_encoding
from batchlock.store.journal import Journal

POLISH = "Umowa zakończona – zablokowane przez księgowość"
RUSSIAN = "Закрыто для проверки"
CHINESE = "合同已续签"
JAPANESE = "監査のためロック済"
CASES = [
    (POLISH, "cp1250", "windows-1250"),
    (RUSSIAN, "cp1251", "windows-1251"),
    (CHINESE, "gb2312", "gb18030"),
    (JAPANESE, "cp932", "shift-jis"),
    ("계약이 연말까지 연장됨", "cp949", "euc-kr"),
    ("合約已續簽至年底", "big5", "big5"),
    ("Η σύμβαση παρατάθηκε", "iso8859-7", "windows-1253"),
    ("Договор продлён до конца года", "koi8_r", "koi8-r"),
    ("Größe und Maße bestätigt", "mac_roman", "mac-roman"),
]


def text_file(folder: Path, reason: str, encoding: str) -> Path:
    return write_text(folder, csv_text(HEADER, (*ROW[:3], reason)).encode(encoding))


@pytest.mark.parametrize(("reason", "encoding", "name"), CASES)
def test_the_right_reading_is_shown_first(
    tmp_path: Path, reason: str, encoding: str, name: str
) -> None:
    path = text_file(tmp_path, reason, encoding)
    with pytest.raises(UnreadableFile) as caught:
        read_table(path, ReadOptions())
    first = caught.value.readings[0]
    assert (first.encoding, first.samples) == (name, (reason,))
    assert caught.value.columns == HEADER
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("orders.csv: the text is not in UTF-8")
    assert lines[1].split() == ["--encoding", name, *reason.split()]
    assert max(map(len, lines[1:-1])) <= 80


@pytest.mark.parametrize(("reason", "encoding", "name"), CASES)
def test_the_option_that_is_shown_reads_the_file(
    tmp_path: Path, reason: str, encoding: str, name: str
) -> None:
    loaded = load(text_file(tmp_path, reason, encoding), encoding=name)
    assert loaded.rows[2][3] == reason


def test_the_readings_cross_the_process_border(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as caught:
        plan_in_process(request_for(text_file(tmp_path, POLISH, "cp1250")))
    assert caught.value.readings[0].label == "Central European (Windows-1250)"
    assert caught.value.readings[0].samples == (POLISH,)
    assert caught.value.columns == HEADER


@pytest.mark.parametrize(
    ("earlier", "machine", "expected"),
    [
        ("windows-1250", None, Detected("cp1250", EncodingSource.EARLIER)),
        (None, "cp1250", Detected("cp1250", EncodingSource.SYSTEM)),
        ("windows-1250", "cp1252", Detected("cp1250", EncodingSource.EARLIER)),
    ],
)
def test_an_earlier_choice_and_the_code_page_of_the_machine_decide(
    tmp_path: Path, earlier: str | None, machine: str | None, expected: Detected
) -> None:
    path = text_file(tmp_path, POLISH, "cp1250")
    assert detect_encoding(path, "auto", earlier=earlier, machine=machine) == expected


@pytest.mark.parametrize("name", ["cp1252", "cp1250", "cp932", "cp99999"])
def test_neither_decides_against_the_letters(tmp_path: Path, name: str) -> None:
    path = text_file(tmp_path, RUSSIAN, "cp1251")
    detected = detect_encoding(path, "auto", earlier=name, machine=name)
    assert isinstance(detected, Undecided)


@pytest.mark.parametrize("text", ["Größe geprüft", "SOCIÉTÉ CLÔTURÉE", "Prüfung: 5 €", "café"])
def test_western_text_is_read_and_said_to_be_a_guess(tmp_path: Path, text: str) -> None:
    detected = detect_encoding(text_file(tmp_path, text, "cp1252"), "auto")
    assert detected == Detected("windows-1252", EncodingSource.GUESS)


@pytest.mark.parametrize("text", ["l’àrea", "% jusqu’à"])
def test_text_of_a_mac_that_fits_utf_8_by_chance_is_refused(tmp_path: Path, text: str) -> None:
    detected = detect_encoding(text_file(tmp_path, text, "mac_roman"), "auto")
    assert isinstance(detected, Undecided)
    assert detected.candidates[0].codec == "mac-roman"


def test_one_line_of_another_encoding_is_named(tmp_path: Path) -> None:
    german = [(*ROW[:3], text) for text in texts_by_language()["de"]]
    content = csv_text(HEADER, *german).encode("cp1252")
    polish = csv_text((*ROW[:3], "zapłacono wcześniej")).encode("cp1250")
    message = refusal(write_text(tmp_path, content + polish))
    assert message.startswith("orders.csv, line 14: this line is likelier in Central European")


def test_titles_beyond_ascii_are_no_obstacle_to_the_readings(tmp_path: Path) -> None:
    rows = csv_text(("Moduł", "Record Id", "Powód"), ("Deals", ROW[1], POLISH))
    with pytest.raises(UnreadableFile) as caught:
        read_table(write_text(tmp_path, rows.encode("cp1250")), ReadOptions())
    assert caught.value.readings[0].encoding == "windows-1250"
    assert caught.value.columns == ("Record Id",)


@pytest.mark.parametrize(("encoding", "codes"), [("cp1252", ["guessed_encoding"]), ("utf-8", [])])
def test_a_guess_is_a_note(tmp_path: Path, encoding: str, codes: list[str]) -> None:
    request = request_for(text_file(tmp_path, "Größe geprüft", encoding))
    plan_in_process(request)
    with Journal.open(request.journal) as journal:
        assert [note.code for note in journal.reading.notes] == codes
