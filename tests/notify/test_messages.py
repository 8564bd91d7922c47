import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from support.notice_server import closed_port, notice_server

from batchlock.notify.messages import MISSING, is_wanted
from batchlock.notify.notice import Notice, NoticeKind
from batchlock.notify.notifier import Notifier
from batchlock.notify.settings import NoticeChoice, NotifySettings
from batchlock.zoho.network import NetworkSettings


def notice(kind: NoticeKind = NoticeKind.END, exit_code: int | None = 3, **values: Any) -> Notice:
    return Notice(
        kind=kind,
        command="run",
        org="acme",
        environment="production",
        title="the title",
        text="the digest",
        exit_code=exit_code,
        **values,
    )


def notifier(*urls: str, **settings: Any) -> Notifier:
    messages = tuple(SecretStr(url) for url in urls)
    return Notifier(
        NotifySettings(messages=messages, **settings),
        NetworkSettings(),
        pause=lambda seconds: None,
    )


def address(url: str) -> str:
    return url.replace("http://", "json://") + "/box"


@pytest.mark.parametrize(
    ("kind", "code", "choices"),
    [
        (NoticeKind.START, None, ""),
        (NoticeKind.END, 0, "always"),
        (NoticeKind.END, 6, "failure always"),
        (NoticeKind.END, 143, "failure always"),
        (NoticeKind.END, 3, "person failure always"),
        (NoticeKind.END, 5, "person failure always"),
        (NoticeKind.PERSON, None, "person failure always"),
        (NoticeKind.TEST, None, "person failure always"),
    ],
)
def test_which_notices_become_messages(kind: NoticeKind, code: int | None, choices: str) -> None:
    one = notice(kind, code)
    assert [choice.value for choice in NoticeChoice if is_wanted(one, choice)] == choices.split()


def test_a_stop_by_a_rule_can_need_a_person() -> None:
    assert is_wanted(notice(exit_code=6, needs_person=True), NoticeChoice.PERSON)


def test_a_message_has_the_digest_and_the_results(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    results.write_text("Result\nupdated\n", "utf-8")
    with notice_server() as server:
        deliveries = notifier(address(server.url)).deliver(notice(attachments=(results,)))
    assert [delivery.error for delivery in deliveries] == [""]
    assert [delivery.place for delivery in deliveries] == ["notify.messages (json)"]
    (request,) = server.requests
    assert request.path == "/box"
    assert (request.json["title"], request.json["message"]) == ("the title", "the digest")
    assert [one["filename"] for one in request.json["attachments"]] == ["results.csv"]


@pytest.mark.parametrize("settings", [{"attach_results": False}, {"max_attachment": 10}])
def test_results_can_be_left_out_and_large_ones_are(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    results = tmp_path / "results.csv"
    results.write_text("Result\nupdated\n", "utf-8")
    with notice_server() as server:
        notifier(address(server.url), **settings).deliver(notice(attachments=(results,)))
    assert server.requests[0].json["attachments"] == []


def test_a_service_that_refuses_the_file_gets_the_message_without_it(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    results.write_text("Result\nupdated\n", "utf-8")
    with notice_server(413) as server:
        deliveries = notifier(address(server.url)).deliver(notice(attachments=(results,)))
    assert [delivery.error for delivery in deliveries] == [""]
    assert [len(request.json["attachments"]) for request in server.requests] == [1, 0]


def test_failures_name_the_service_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    with notice_server(hangs=True) as server:
        deliveries = notifier(
            f"json://me:s3cr3t@127.0.0.1:{closed_port()}",
            "nosuchservice://s3cr3t",
            address(server.url) + "/s3cr3t",
            timeout=0.5,
        ).deliver(notice())
    assert all(delivery.error for delivery in deliveries)
    assert [delivery.place for delivery in deliveries] == [
        "notify.messages (json)",
        "notify.messages (nosuchservice)",
        "notify.messages (json)",
    ]
    assert len(caplog.records) == 3
    assert "s3cr3t" not in caplog.text + repr(deliveries)


def test_addresses_can_come_from_a_file(tmp_path: Path) -> None:
    with notice_server() as server:
        file = tmp_path / "messages.txt"
        file.write_text(f"{address(server.url)}\n{address(server.url)}\n", "utf-8")
        deliveries = notifier(messages_file=file).deliver(notice())
    assert [delivery.error for delivery in deliveries] == ["", ""]
    assert len(server.requests) == 2


def test_without_the_package_a_sentence_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    (delivery,) = notifier("json://127.0.0.1").deliver(notice())
    assert delivery.error == MISSING
    assert "pip install 'batchlock[notify]'" in MISSING
    monkeypatch.undo()
    importlib.import_module("apprise")
