import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from support.notice_server import closed_port, notice_server

from batchlock.core.results import Result
from batchlock.notify.notice import Delivery, Notice, NoticeKind
from batchlock.notify.notifier import Notifier
from batchlock.notify.settings import NotifySettings
from batchlock.notify.texts import start_notice
from batchlock.zoho.network import NetworkSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def notifier_of(network: NetworkSettings | None = None, **settings: Any) -> Notifier:
    values: dict[str, Any] = {
        name: SecretStr(value) if name in ("ping_url", "webhook", "webhook_secret") else value
        for name, value in settings.items()
    }
    return Notifier(
        NotifySettings(**values), network or NetworkSettings(), pause=lambda seconds: None
    )


def end(exit_code: int | None = 0, **values: Any) -> Notice:
    defaults: dict[str, Any] = {
        "kind": NoticeKind.END,
        "command": "run",
        "org": "acme",
        "environment": "production",
        "title": "batchlock acme: done",
        "text": "200 rows: all updated ä.",
        "exit_code": exit_code,
        "counts": {Result.UPDATED: 198, Result.REJECTED: 2},
        "credits_used": 200,
        "seconds": 12.5,
    }
    return Notice(**(defaults | values))


def begin() -> Notice:
    return start_notice("run", org="acme", environment="production")


def errors(deliveries: list[Delivery]) -> list[str]:
    return [delivery.error for delivery in deliveries]


@pytest.mark.parametrize(("code", "path"), [(0, "/ping"), (3, "/ping/3"), (143, "/ping/143")])
def test_a_command_pings_its_start_and_its_end_with_one_id(code: int, path: str) -> None:
    with notice_server() as server:
        notifier = notifier_of(ping_url=f"{server.url}/ping/?create=1")
        notifier.send(begin())
        notifier.send(end(code))
        notifier.close()
    assert server.paths == ["/ping/start", path]
    queries = {request.path.partition("?")[2] for request in server.requests}
    (query,) = queries
    assert query.startswith("create=1&rid=")
    assert len(query) == len("create=1&rid=") + 36
    assert server.requests[1].body.decode() == "batchlock acme: done\n\n200 rows: all updated ä.\n"


def test_a_notice_that_ends_nothing_is_no_ping() -> None:
    with notice_server() as server:
        notifier = notifier_of(ping_url=server.url)
        assert notifier.deliver(end(kind=NoticeKind.PERSON, exit_code=None)) == []
        assert errors(notifier.deliver(end(kind=NoticeKind.TEST, exit_code=None))) == [""]
    assert server.paths == ["/log"]


def test_a_long_digest_is_cut_between_two_letters() -> None:
    with notice_server() as server:
        notifier_of(ping_url=server.url).deliver(end(text="ä" * 20_000))
    assert 9_990 < len(server.requests[0].body) <= 10_000
    assert server.requests[0].body.decode().endswith("ä")


def test_the_library_of_the_specification_verifies_a_webhook() -> None:
    with notice_server() as server:
        notifier_of(webhook=f"{server.url}/hook", webhook_secret=SECRET).deliver(end(3))
    (request,) = server.requests
    headers = {name: value for name, value in request.headers.items() if "webhook" in name}
    value = Webhook(SECRET).verify(request.body, headers)
    assert value["event"] == "end"
    assert value["exit_code"] == 3
    assert value["needs_person"] is True
    assert value["rows"] == sum(value["counts"].values()) == 200
    assert value["counts"]["rejected"] == 2
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body.replace(b"198", b"200"), headers)


def test_a_webhook_without_a_secret_is_not_signed() -> None:
    with notice_server() as server:
        notifier_of(webhook=server.url).deliver(end())
    assert "webhook-signature" not in server.requests[0].headers
    assert "webhook-id" in server.requests[0].headers


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_temporary_refusal_is_tried_once_more_with_the_same_id(status: int) -> None:
    with notice_server(status) as server:
        assert errors(notifier_of(webhook=server.url).deliver(end())) == [""]
    first, second = (request.headers["webhook-id"] for request in server.requests)
    assert first == second


def test_two_refusals_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with notice_server(500, 500) as server:
        deliveries = notifier_of(ping_url=f"{server.url}/s3cr3t").deliver(end())
    assert len(server.requests) == 2
    assert errors(deliveries) == ["127.0.0.1 did not accept it (HTTP 500)."]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_final_refusal_is_not_tried_again(status: int) -> None:
    with notice_server(status) as server:
        (error,) = errors(notifier_of(ping_url=server.url).deliver(end()))
    assert str(status) in error
    assert len(server.requests) == 1


def test_a_redirect_is_not_followed() -> None:
    with notice_server() as other, notice_server(302, Location=other.url) as server:
        (error,) = errors(notifier_of(ping_url=server.url).deliver(end()))
    assert "redirect" in error
    assert other.requests == []


def test_a_server_that_hangs_or_is_gone_costs_its_time_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with notice_server(hangs=True) as server:
        notifier = notifier_of(
            ping_url=server.url, webhook=f"http://127.0.0.1:{closed_port()}", timeout=0.2
        )
        assert errors(notifier.deliver(end())) == [
            "127.0.0.1 timed out: no answer within 0.2 s.",
            "127.0.0.1 refused the connection.",
        ]
        assert len(server.requests) == 2
    assert len(caplog.records) == 2


def test_a_start_that_hangs_is_not_sent_after_the_end() -> None:
    with notice_server(hangs=True) as server:
        notifier = notifier_of(ping_url=server.url, timeout=0.2)
        notifier.send(begin())
        notifier.send(end())
        notifier.close()
    assert server.paths == ["/start", "/", "/"]


def test_a_certificate_that_is_not_trusted_is_an_error_and_one_that_is_named_is_not(
    pem: Path,
) -> None:
    with notice_server(pem=pem) as server:
        (error,) = errors(notifier_of(ping_url=server.url).deliver(end()))
        assert error == "The certificate of 127.0.0.1 is not trusted (TLS)."
        assert server.requests == []
        network = NetworkSettings(ca_file=pem)
        assert errors(notifier_of(network, ping_url=server.url).deliver(end())) == [""]


def test_notices_go_through_the_proxy_of_the_settings() -> None:
    with notice_server() as proxy:
        network = NetworkSettings(proxy=SecretStr(proxy.url))
        notifier_of(network, ping_url="http://localhost:1/ping").deliver(end())
    assert [request.path.partition("?")[0] for request in proxy.requests] == [
        "http://localhost:1/ping"
    ]


def test_an_address_can_come_from_a_file_or_a_command_and_has_the_name_of_the_org(
    tmp_path: Path,
) -> None:
    with notice_server() as server:
        file = tmp_path / "url.txt"
        file.write_text(f"{server.url}/{{org}}\n", "utf-8")
        deliveries = notifier_of(
            ping_url_file=file, webhook_command=f"echo {server.url}/hook"
        ).deliver(end())
    assert errors(deliveries) == ["", ""]
    assert sorted(server.paths) == ["/acme", "/hook"]


@pytest.mark.parametrize("text", ["http://hc.test/s3cr3t", "ftp://hc.test/s3cr3t", "s3cr3t", ""])
def test_an_address_from_a_file_that_cannot_be_used_is_an_error_without_it(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "url.txt"
    file.write_text(text, "utf-8")
    (delivery,) = notifier_of(ping_url_file=file).deliver(end())
    assert delivery.place == "notify.ping_url"
    assert delivery.error
    assert "s3cr3t" not in delivery.error


def test_a_place_that_fails_does_not_keep_the_others_from_theirs(tmp_path: Path) -> None:
    with notice_server() as server:
        deliveries = notifier_of(
            ping_url_file=tmp_path / "missing", webhook=server.url, webhook_secret="whsec_???"
        ).deliver(end())
        assert ["ping_url_file" in deliveries[0].error, "base64" in deliveries[1].error] == [
            True,
            True,
        ]
        assert errors(notifier_of(webhook=server.url).deliver(end())) == [""]


def test_without_settings_nothing_is_sent() -> None:
    notifier = notifier_of()
    notifier.send(end())
    notifier.close()
    assert notifier.deliver(end()) == []
