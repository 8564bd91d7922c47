"""What a person can choose about the reading of a file, and what the page says about it."""

import io
from pathlib import Path

import openpyxl
from support.sheets import TITLES, rows
from support.visitor import HEADER, Visitor, eventually

ROW = "Deals,5843104000000425504,5843104000000574404,{}\n"


def read_again(visitor: Visitor, upload: str, **choices: str) -> str:
    """Submit the form of the check; return the words of the page after it."""
    assert visitor.post(f"{upload}/read", choices).location == upload
    eventually(lambda: "being read" not in visitor.get(upload).text)
    return visitor.get(upload).words


def workbook(first: int, hidden: tuple[int, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in [TITLES, *rows(4, first=first)]:
        book.active.append(row)
    for number in hidden:
        book.active.row_dimensions[number].hidden = True
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_hidden_rows_can_be_left_out(someone: Visitor) -> None:
    upload = someone.check("hidden.xlsx", workbook(40_001, hidden=(3, 4)))
    check = someone.get(upload).words
    assert "can be sent 4" in check
    assert 'choose "Leave out hidden rows" under "Read the file differently" below' in check
    assert "--" not in check
    without = read_again(someone, upload, visible_only="on")
    assert "can be sent 2" in without
    assert "2 hidden rows left out" in without
    assert 'name="visible_only" checked' in someone.get(upload).text
    assert "2 updated" in someone.results(someone.post(f"{upload}/start").location).words
    whole = read_again(someone, upload)
    assert "can be sent 2" in whole
    assert "done by an earlier run 2" in whole


def test_hidden_rows_stay_out_when_another_choice_is_refused(someone: Visitor) -> None:
    upload = someone.check("hidden.xlsx", workbook(40_100, hidden=(3,)))
    refused = read_again(someone, upload, visible_only="on", module_for_all="Deals")
    assert "Choose no module for all rows" in refused
    assert 'name="visible_only" value="on"' in someone.get(upload).text


def test_a_file_without_hidden_rows_has_no_choice_about_them(someone: Visitor) -> None:
    upload = someone.check("plain.xlsx", workbook(40_200))
    assert "visible_only" not in someone.get(upload).text
    assert 'name="encoding"' not in someone.get(upload).text


def test_another_sheet_can_be_chosen_after_the_check(someone: Visitor) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "May"
    for row in [TITLES, *rows(2, first=40_400)]:
        book.active.append(row)
    june = book.create_sheet("June")
    for row in [("Modul", "Satz", "Sperre", "Grund"), *rows(3, first=40_410)]:
        june.append(row)
    content = io.BytesIO()
    book.save(content)
    upload = someone.check("months.xlsx", content.getvalue())
    assert "(find it by its titles: May)" in someone.get(upload).words
    refused = read_again(someone, upload, sheet="June")
    assert "no column for the module, the record id and the reason" in refused
    # The choice stays, and the other sheet can be chosen again.
    assert 'value="June" selected>June' in someone.get(upload).text
    columns = {
        "module": "Modul", "record_id": "Satz", "lock_id": "Sperre", "reason": "Grund",
    }  # fmt: skip
    assert "can be sent 3" in read_again(someone, upload, sheet="June", **columns)
    assert 'value="June" selected>June' in someone.get(upload).text
    assert "can be sent 2" in read_again(someone, upload, sheet="May")


def test_another_row_of_titles_can_be_chosen(someone: Visitor) -> None:
    line = "Deals,58431040000004255{},58431040000005744{},why\n"
    content = HEADER + line.format("01", "01") + HEADER + line.format("02", "02")
    upload = someone.check("twice.csv", content.encode())
    check = someone.get(upload).words
    assert "titles in row 1" in check
    changed = read_again(someone, upload, header_row="3")
    assert "titles in row 3" in changed
    assert "can be sent 1" in changed
    assert 'name="header_row" inputmode="numeric" maxlength="4" autocomplete="off" value="3"' in (
        someone.get(upload).text
    )
    refused = read_again(someone, upload, header_row="99")
    assert "row 99 was chosen for the titles, and it is blank or below the last row" in refused
    assert "can be sent 1" in read_again(someone, upload, header_row="3")
    for wrong in ("0", "2000", "one"):
        answer = someone.post(f"{upload}/read", {"header_row": wrong})
        assert answer.status == 409
        assert "is no row of titles" in answer.words


def test_a_guessed_encoding_can_be_corrected(someone: Visitor) -> None:
    content = HEADER + "".join(
        ROW.format(text) for text in ("Prüfung für März abgeschlossen", "Verträge geändert")
    )
    upload = someone.check("guess.csv", content.encode("cp1252"))
    check = someone.get(upload).words
    assert 'choose the right encoding under "Read the file differently" below' in check
    assert "--" not in check
    changed = read_again(someone, upload, encoding="windows-1251")
    assert "The text is read as" in changed
    assert "Prüfung" not in changed
    assert 'value="windows-1251" selected' in someone.get(upload).text
    assert "Prüfung" in read_again(someone, upload, encoding="windows-1252")


def test_an_encoding_that_does_not_fit_can_be_chosen_again(someone: Visitor) -> None:
    content = (HEADER + ROW.format("Prüfung für März")).encode("cp1252")
    upload = someone.check("wrong.csv", content)
    refused = read_again(someone, upload, encoding="utf-8")
    assert "this line is not in UTF-8, the encoding that was chosen. Choose another one" in refused
    assert "--" not in refused
    assert "Prüfung für März" in read_again(someone, upload, encoding="windows-1252")


def test_a_column_that_looks_like_lock_ids_is_noted_in_words_of_the_page(someone: Visitor) -> None:
    lines = "".join(
        f"Leads,5843104000000425{n},5843104000000574{n},why {n}\n" for n in range(100, 104)
    )
    upload = someone.check("locks.csv", f"Module,Record Id,Sperre,Reason\n{lines}".encode())
    check = someone.get(upload).words
    assert 'choose "Sperre" as the lock id under "Read the file differently" below' in check
    assert "--" not in check
    assert "looked up" not in read_again(someone, upload, lock_id="Sperre")


def test_the_rows_with_problems_come_in_words_of_the_page(someone: Visitor) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(40_300, hidden=(3,))))
    assert book.active is not None
    book.active["B5"] = "wrong"
    content = io.BytesIO()
    book.save(content)
    upload = someone.check("problems.xlsx", content.getvalue())
    Path("p.xlsx").write_bytes(someone.get(f"{upload}/problems.xlsx").content)
    checked = openpyxl.load_workbook("p.xlsx")
    cells = [str(cell) for sheet in checked for row in sheet.values for cell in row if cell]
    assert [cell for cell in cells if "Leave out hidden rows" in cell]
    assert not [cell for cell in cells if "--" in cell]
