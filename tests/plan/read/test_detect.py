import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.tables import (
    HEADER,
    ROW,
    csv_text,
    load,
    refusal,
    write_odfpy,
    write_openpyxl,
    write_text,
    write_xlwt,
)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_openpyxl, "orders.csv"),
        (write_openpyxl, "orders.xlsm"),
        (write_openpyxl, "orders.xls"),
        (write_openpyxl, "orders"),
        (write_xlwt, "orders.xlsx"),
        (write_xlwt, "orders.ods"),
        (write_odfpy, "orders.xlsx"),
        (write_odfpy, "orders.tsv"),
    ],
)
def test_the_content_decides_and_not_the_name(
    tmp_path: Path, write: Callable[[Path, object], Path], name: str
) -> None:
    path = write(tmp_path / "workbook.xlsx", [HEADER, ROW])
    assert load(path.rename(tmp_path / name)).rows == {2: ROW}


def test_text_named_like_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(HEADER, ROW, delimiter="\t"), "orders.xls")
    assert load(path).rows == {2: ROW}


def zip_bytes(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return file.getvalue()


OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "there are no rows in it"),
        (b"\n\n  \n", "there are no rows in it"),
        (b"%PDF-1.7\n...", "is a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "is a picture"),
        (b"\xff\xd8\xff\xe0", "is a picture"),
        (b"\x1f\x8b\x08", "is a compressed archive"),
        (b"{\\rtf1", "is a text document"),
        (b"<html><table><tr><td>Module", "is a web page"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML>", "is a web page"),
        ("\ufeff<table>".encode("utf-16-le"), "is a web page"),
        (b'<?xml version="1.0"?><Workbook>', "is a web page"),
        (b"MIME-Version: 1.0\r\n", "is a web page"),
        (zip_bytes(a_txt=b"x"), "is a ZIP archive or a document"),
        (zip_bytes(word__document_xml=b"x"), "is a ZIP archive or a document"),
        (
            zip_bytes(mimetype=b"application/vnd.oasis.opendocument.text", content_xml=b"x"),
            "is a ZIP archive or a document",
        ),
        (b"PK\x03\x04cut", "is damaged"),
        (zip_bytes(xl__workbook_xml=b"x"), "is damaged"),
        (zip_bytes(xl__workbook_bin=b"x"), "is damaged"),
        (zip_bytes(content_xml=b"x"), "is damaged"),
        (OLE, "is an old Office document"),
        (OLE + "EncryptedPackage\0".encode("utf-16-le"), "is protected with a password"),
        (OLE + "Workbook\0".encode("utf-16-le"), "is damaged"),
    ],
)
def test_a_file_that_is_not_a_spreadsheet_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    message = refusal(write_text(tmp_path, content, "orders.xls"))
    assert message.startswith("orders.xls")
    assert expected in message


def test_a_workbook_without_any_rows_is_refused(tmp_path: Path) -> None:
    assert "there are no rows in it" in refusal(write_openpyxl(tmp_path / "a.xlsx", []))


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    assert "cannot be opened" in refusal(tmp_path / name)


def test_a_workbook_protected_with_a_password_is_refused(tmp_path: Path) -> None:
    path = write_xlwt(tmp_path / "a.xls", [HEADER, ROW])
    content = path.read_bytes()
    # A record that says "encrypted" in the place of the one that says "written by".
    start = content.index(b"\x5c\x00\x70\x00")
    path.write_bytes(content[:start] + b"\x2f\x00" + content[start + 2 :])
    assert "is protected with a password" in refusal(path)
