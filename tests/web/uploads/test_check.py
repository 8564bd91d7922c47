"""The check of an upload: what is sent comes first, marked, with the old reason where known."""

import re

from support.visitor import HEADER, Visitor, csv_content

RECORD = "5843104000000425504"


def wide_file(first: int, reason: str) -> bytes:
    """Return a file of 24 columns whose last four are sent."""
    titles = [f"Other {number}" for number in range(1, 21)]
    cells = [f"value {number}" for number in range(1, 21)]
    sent = f"Deals,5843104000000{first},5843104000001{first},{reason}"
    return (
        ",".join(titles) + ",Modul,Datensatz ID,Sperr ID,Grund\n" + ",".join(cells) + f",{sent}\n"
    ).encode()


def headings(visitor: Visitor, path: str) -> list[str]:
    """Return the headings of the table of rows on the check, without their tags."""
    table = visitor.get(path).text.partition('id="rows"')[2]
    return [
        " ".join(re.sub("<[^>]+>", " ", one).split())
        for one in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table)
    ]


def test_what_is_sent_comes_first_in_a_wide_file(someone: Visitor) -> None:
    upload = someone.check("wide.csv", wide_file(425_100, "why"))
    columns = {
        "module": "Modul", "record_id": "Datensatz ID", "lock_id": "Sperr ID", "reason": "Grund",
    }  # fmt: skip
    someone.post(f"{upload}/read", columns)
    someone.wait_for(upload, "can be sent 1")
    assert headings(someone, upload)[:6] == [
        "Row",
        "Modul read as Module",
        "Datensatz ID read as Record id",
        "Sperr ID read as Lock id",
        "Grund read as Reason",
        "Other 1",
    ]
    assert "<td" in someone.get(upload).text
    assert "value 20</span></td>" not in someone.get(upload).text
    assert "Show the other 14 columns" in someone.get(upload).words
    whole = someone.get(f"{upload}?columns=all")
    assert "value 20</span></td>" in whole.text
    assert "Hide the other 14 columns" in whole.words


def test_the_action_of_a_row_is_among_what_comes_first(someone: Visitor) -> None:
    content = f"Why,Action,Lock Id,Record Id,Module,Reason\nx,lock,,{RECORD},Deals,because\n"
    upload = someone.check("action.csv", content.encode())
    assert headings(someone, upload)[1:6] == [
        "Module read as Module",
        "Record Id read as Record id",
        "Lock Id read as Lock id",
        "Reason read as Reason",
        "Action read as Action",
    ]


def test_a_field_without_a_column_says_its_value(someone: Visitor) -> None:
    upload = someone.check("few.csv", f"Record Id,Module\n{RECORD},Deals\n".encode())
    someone.post(f"{upload}/read", {"reason_for_all": "one for all"})
    someone.wait_for(upload, "can be sent 1")
    assert headings(someone, upload)[3:5] == ["Lock id in all rows", "Reason in all rows"]
    table = someone.get(upload).words.rpartition("State")[2]
    assert "looked up one for all Ready" in table


def test_the_old_reason_stands_beside_the_new_one(someone: Visitor) -> None:
    content = csv_content(2, first=70_001)
    someone.results(someone.start("old.csv", content))
    reason = content.decode().splitlines()[1].rpartition(",")[2]
    changed = content.replace(reason.encode(), b"a new reason", 1)
    page = someone.get(someone.check("new.csv", changed))
    new = '<ins translate="no">a new reason</ins>'
    assert page.text.count(f"{reason}</span></del>{new}") == 2
    # The other row asks for what the lock says already.
    assert page.text.count("<ins ") == 2
    assert "Zoho was not asked" in page.words


def test_a_file_with_titles_only_says_that_it_has_no_rows(someone: Visitor) -> None:
    check = someone.get(someone.check("titles.csv", HEADER.encode())).words
    assert "The file has no rows There are titles in row 1, and no row below them." in check
    assert "Fill in the rows and upload the file." in check
    assert "done already" not in check


def test_the_forecast_is_a_range_from_calls_that_have_succeeded(someone: Visitor) -> None:
    someone.results(someone.start("measured.csv", csv_content(60, first=90_001)))
    check = someone.get(someone.check("much.csv", csv_content(40, first=91_001))).words
    times = r"That takes (about [0-9]+ s|[0-9]+ s to [0-9]+ s) , as long as calls took"
    assert re.search(times, check)
