"""What the rows of a file do with the records: shown large, and chosen where no column says it."""

import re

from support.visitor import HEADER, Visitor, eventually

# Ids that no other test of these servers uses.
_FIRST = 5843104000000050011


def rows_with(*endings: str, first: int, header: str = HEADER) -> bytes:
    """Return a CSV file with a row of Leads for each ending, which follows the record id."""
    lines = [f"Leads,{_FIRST + first + n},{ending}\n" for n, ending in enumerate(endings)]
    return (header + "".join(lines)).encode()


def read_for(visitor: Visitor, upload: str, action: str, **others: str) -> str:
    """Choose the action of all rows; return the words of the page after it."""
    form = {"action_for_all": action, **others}
    assert visitor.post(f"{upload}/read", form).location == upload
    eventually(lambda: "being read" not in visitor.get(upload).text)
    return visitor.get(upload).words


def banner(visitor: Visitor, upload: str) -> str:
    """Return the class of the banner that shows the action."""
    match = re.search(r'<section class="banner (\w+)"', visitor.get(upload).text)
    assert match is not None
    return match[1]


def test_a_file_without_actions_changes_reasons_unless_another_action_is_chosen(
    someone: Visitor,
) -> None:
    upload = someone.check("plain.csv", rows_with(",why 1", ",why 2", first=0))
    assert banner(someone, upload) == "update"
    assert "Change the reason 2 locks Leads 2" in someone.get(upload).words
    locked = read_for(someone, upload, "lock")
    assert banner(someone, upload) == "lock"
    assert "Lock 2 records Leads 2" in locked
    assert 'value="lock" checked' in someone.get(upload).text
    assert "plain.csv: lock" in someone.get(f"{someone.home}/log").words
    assert "Change the reason 2 locks" in read_for(someone, upload, "update")


def test_the_actions_of_a_column_are_counted_and_cannot_be_chosen(someone: Visitor) -> None:
    header = "Module,Record Id,Lock Id,Reason,Action\n"
    endings = (",a,lock", ",b,update", ",c,update", ",,unlock")
    upload = someone.check("mixed.csv", rows_with(*endings, first=100, header=header))
    words = someone.get(upload).words
    assert banner(someone, upload) == "mixed"
    for part in ("Different actions 4 rows", "Change the reason 2: Leads 2", "Lock 1: Leads 1",
                 "Unlock 1: Leads 1"):  # fmt: skip
        assert part in words
    assert "What shall happen" not in words
    assert "Unlock 1 record in simulator rehearsal" in words


def test_a_file_of_ids_alone_can_be_read_for_an_unlock(someone: Visitor) -> None:
    content = rows_with("x", "y", first=200, header="Module,Record Id,Note to us\n")
    upload = someone.check("ids.csv", content)
    assert "What shall happen with these records?" in someone.get(upload).words
    assert "Unlock 2 records in simulator rehearsal" in read_for(someone, upload, "unlock")


def test_other_choices_stay_when_the_action_is_chosen(someone: Visitor) -> None:
    content = rows_with("x", first=300, header="Module,Record Id,Because\n")
    upload = someone.check("kept.csv", content)
    read_for(someone, upload, "lock", reason="Because")
    html = someone.get(upload).text
    assert '<input type="hidden" name="reason" value="Because">' in html
    assert '<input type="hidden" name="action_for_all" value="lock">' in html


def test_an_unlock_takes_no_reason_for_all_rows(someone: Visitor) -> None:
    upload = someone.check("no.csv", rows_with(",why", first=400))
    answer = someone.post(f"{upload}/read", {"action_for_all": "unlock", "reason_for_all": "x"})
    assert answer.status == 409
    assert "An unlock has no reason" in answer.words


def test_an_unknown_action_is_refused(someone: Visitor) -> None:
    upload = someone.check("odd.csv", rows_with(",why", first=500))
    answer = someone.post(f"{upload}/read", {"action_for_all": "<b>delete"})
    assert answer.status == 409
    assert "<b>delete" not in answer.text


def test_results_show_each_action_and_the_reason_before(someone: Visitor) -> None:
    header = "Module,Record Id,Lock Id,Reason,Action\n"
    run = someone.start("both.csv", rows_with(",a,lock", ",b,update", first=600, header=header))
    page = someone.results(run)
    assert "1 updated, 1 locked" in page.words
    assert "Before: Locked before After: b" in page.words
    locked = someone.get(f"{run}?show=locked")
    assert locked.text.count("<tr class=") == 1
    assert "Different actions" in someone.get(f"{someone.home}/history?words=both.csv").words
