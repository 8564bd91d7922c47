"""Changes of a configuration file, which leave all else in it as it was."""

import pytest
from support.paths import ROOT

from batchlock.config.edit import NotEditable, edited

VALUES: dict[tuple[str, ...], str | None] = {
    ("zoho", "client_id"): "1000.A",
    ("zoho", "organization_id"): "0990000",
}


ALIAS = "zoho: &one {data_center: eu}\nother: *one\n"
LIMITS = "\n# Limits\nlimits:\n    in_flight: 4\n"
LISTS = "stop: {until: 22:00}\ninput:\n  custom_modules:\n    - A\n    - 'B'\n"
ADDED = "  client_id: 1000.A\n  organization_id: 0990000\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"zoho:\n{ADDED}"),
        ("# only a comment\n", f"# only a comment\nzoho:\n{ADDED}"),
        ("org: acme  # ours\nzoho:\n", f"org: acme  # ours\nzoho:\n{ADDED}"),
        (  # the comment behind the group belongs to the next one
            f"zoho:\n    data_center: eu   # here\n{LIMITS}",
            f"zoho:\n    data_center: eu   # here\n{ADDED.replace('  ', '    ')}{LIMITS}",
        ),
        (
            f"{LISTS}zoho:\n  client_id: old # why\n",
            f"{LISTS}zoho:\n  client_id: 1000.A # why\n  organization_id: 0990000\n",
        ),
        (
            "zoho: {data_center: eu}",
            "zoho: {data_center: eu, client_id: 1000.A, organization_id: 0990000}\n",
        ),
        (
            "\ufefforg: acme\r\n",
            "\ufefforg: acme\r\nzoho:\r\n" + ADDED.replace("\n", "\r\n"),
        ),
    ],
)
def test_settings_are_added_and_replaced_in_their_place(before: str, after: str) -> None:
    assert edited(before, VALUES) == after


def test_a_removed_value_keeps_the_comments_around_it() -> None:
    before = "zoho:\n  client_secret: abc  # of 2025\n  # The region\n  data_center: eu\n"
    paths: list[tuple[str, ...]] = [
        ("zoho", "client_secret"),
        ("zoho", "client_secret_file"),
        ("web", "port"),
    ]
    assert edited(before, dict.fromkeys(paths)) == before.replace("abc  #", "null #")


def test_the_example_keeps_every_other_line() -> None:
    text = (ROOT / "config.example.yaml").read_text("utf-8")
    changed = edited(text, VALUES)
    differing = [
        (old, new)
        for old, new in zip(text.splitlines(), changed.splitlines(), strict=True)
        if old != new
    ]
    assert differing == [
        ("  client_id: null", "  client_id: 1000.A"),
        ("  organization_id: null", "  organization_id: 0990000"),
    ]


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: 1\na: 2\n", "a: [1\n", "just a text\n", ALIAS])
def test_a_text_that_cannot_be_changed_safely_is_left_alone(text: str) -> None:
    with pytest.raises(NotEditable):
        edited(text, VALUES)


def test_values_are_quoted_where_yaml_needs_it() -> None:
    path: tuple[str, ...] = ("zoho", "client_secret_file")
    assert edited("", {path: "C:\\a: b #c"}) == "zoho:\n  client_secret_file: 'C:\\a: b #c'\n"
