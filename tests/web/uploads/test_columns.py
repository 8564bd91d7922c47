"""Which columns the form proposes, and what it shows of them."""

import re
from html import unescape

import pytest
from support.visitor import Visitor, csv_content

from batchlock.web.uploads.columns import FIELDS


@pytest.mark.parametrize(
    ("title", "is_likely"),
    [("Locked", False), ("Locked__s", False), ("Lock Reason", False), ("Record Lock Id", True)],
)
def test_which_title_is_proposed_for_lock_ids(title: str, *, is_likely: bool) -> None:
    (field,) = (one for one in FIELDS if one.name == "lock_id")
    assert field.is_likely(title.casefold()) is is_likely


def options_of(visitor: Visitor, upload: str, field: str) -> list[str]:
    """Return the options of a select of the form, the selected one with a star before it."""
    select = visitor.get(upload).text.partition(f'<select id="{field}"')[2].partition("</select")[0]
    return [
        ("*" if "selected" in mark else "") + unescape(text)
        for mark, text in re.findall(r"<option([^>]*)>([^<]*)</option>", select)
    ]


def test_values_stand_beside_the_titles_of_a_refused_file(someone: Visitor) -> None:
    content = (
        "Modul;Datensatz;Rufnummer;Bemerkung\n"
        "Leads;5843104000000425565;0301;Vertrag verlängert\n"
        "Leads;5843104000000425566;0301;\n"
        "Deals;5843104000000425567;0302;Rechnung bezahlt\n"
    )
    upload = someone.check("plain.csv", content.encode())
    options = options_of(someone, upload, "record_id")
    # No title says it, and no other column has long ids.
    assert "*Datensatz: 5843104000000425565, 5843104000000425566" in options
    assert "Bemerkung: Vertrag verlängert, Rechnung bezahlt" in options
    assert "Rufnummer: 0301, 0302" in options
    assert "*Modul: Leads, Deals" in options_of(someone, upload, "module")


def test_a_title_is_not_proposed_whose_values_are_something_else(someone: Visitor) -> None:
    content = "Modul;Ident;Vorgang;Notes\nLeads;17;5843104000000425565;2026-03-01\n"
    upload = someone.check("misleading.csv", content.encode())
    assert "*Vorgang: 5843104000000425565" in options_of(someone, upload, "record_id")
    assert not [one for one in options_of(someone, upload, "reason") if one.startswith("*")]


def test_two_columns_that_fit_one_field_show_their_values(someone: Visitor) -> None:
    content = "Module;Record Id;record_id;Reason\nLeads;5843104000000425565;17;why\n"
    upload = someone.check("two.csv", content.encode())
    assert "more than one column fits" in someone.get(upload).words
    assert "record_id: 17" in options_of(someone, upload, "record_id")


def test_the_check_shows_values_and_what_is_read_now(someone: Visitor) -> None:
    upload = someone.check("checked.csv", csv_content(2, first=1))
    options = options_of(someone, upload, "reason")
    assert options[0] == "(find it by its title: Reason)"
    reasons = [line.rpartition(",")[2] for line in csv_content(2, first=1).decode().split("\n")]
    assert f"Reason: {reasons[1]}, {reasons[2]}" in options
