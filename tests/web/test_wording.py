"""Messages on the page: none speaks of a terminal, of commands or of options."""

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest
from support.page_server import PageServer
from support.paths import ROOT
from support.visitor import HEADER, Visitor

from batchlock.web.wording import page_words

# What is only said at a terminal, or by a machine of administrators.
_ELSEWHERE = ("cli/", "api", "config/", "new_orgs", "org_settings", "fleet/", "inbox",
              "core/secret", "core/paths", "core/encodings", "web/server", "zoho/token_file",
              "store/folder_", "doctor/bundle", "plan_file", "plan_format", "sign_in_storage",
              "zoho/sign_in_files")  # fmt: skip
_TERMINAL = re.compile(
    r"`|(?<![\w-])--[a-z{]|\bbatchlock (?:run|login|resume|retry|report|locks|orgs)\b"
    r"|same command|the option\b|at a terminal"
)
_SETTING = re.compile(
    r"\b(?:zoho|limits|retry|stop|input|results|web|secrets|network)\.[a-z]\w+|configuration\b"
)


def collected() -> Sequence[Any]:
    """Return the messages that the tool finds in the code; its folder is no package."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        messages: Sequence[Any] = import_module("code_messages").collect()
    finally:
        sys.path.pop(0)
    return messages


MESSAGES = sorted(
    {
        part
        for message in collected()
        if not message.place.startswith(_ELSEWHERE)
        for part in (message.text, message.remedy)
        if part
    }
)


def test_the_catalogue_is_read() -> None:
    assert len(MESSAGES) > 200
    assert any("`batchlock login`" in message for message in MESSAGES)


def test_no_message_of_the_catalogue_speaks_of_a_terminal_on_the_page() -> None:
    wrong = [page_words(one) for one in MESSAGES if _TERMINAL.search(page_words(one))]
    assert wrong == []


def test_a_setting_is_named_for_the_administrator() -> None:
    wrong = [
        words
        for words in map(page_words, MESSAGES)
        if _SETTING.search(words)
        and "administrator" not in words
        and "record locking configuration" not in words
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("It was rejected.", "It was rejected."),
        (
            "Check network.proxy in the configuration, or HTTPS_PROXY.",
            "Ask the administrator to check network.proxy in the configuration, or HTTPS_PROXY.",
        ),
        (
            "If only this name fails, check zoho.data_center in the configuration.",
            (
                "If only this name fails, ask the administrator to check zoho.data_center in the "
                "configuration."
            ),
        ),
        (
            "Another run is at work on acme: run 1, started by Anna, process 14516. Wait.",
            "Another run is at work on acme: run 1, started by Anna. Wait.",
        ),
        (
            "/var/lib/batchlock/runs/acme/1.journal is damaged, C:\\data\\1.csv too.",
            "1.journal is damaged, 1.csv too.",
        ),
        ("See https://crm.zoho.eu/tmp/x", "See https://crm.zoho.eu/tmp/x"),
        (
            "It is not known yet what became of 2 rows. Resume it first: batchlock resume 2026",
            "It is not known yet what became of 2 rows. Resume it first.",
        ),
    ],
)
def test_advice_is_addressed_to_who_can_follow_it(message: str, words: str) -> None:
    assert page_words(message) == words


def test_the_check_and_the_results_use_the_words_of_the_page(
    page: PageServer, someone: Visitor
) -> None:
    content = f"{HEADER}Trucks,5843104000000099001,,why\nLeads,990000000000000111,,why\n"
    check = someone.check("words.csv", content.encode())
    run = someone.post(f"{check}/start").location
    for words in (someone.get(check).words, someone.results(run).words):
        assert "ask the administrator to add its API name to input.custom_modules" in words
        assert not _TERMINAL.search(words)
    assert "ask the administrator to sign batchlock in as another user" in someone.get(run).words
