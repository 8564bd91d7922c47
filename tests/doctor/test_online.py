"""`batchlock doctor`: the way to Zoho, the sign-in and the org, against servers on this machine."""

import asyncio
import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from support.bad_server import Handler, answers, bad_server, hangs, resets
from support.commands import RunCommand
from support.doctor import check_of, not_good, states
from support.forked_command import forked
from support.http_server import (
    HTML,
    Server,
    answer_with,
    http_response,
    raw_server,
    tls_of,
)
from support.loops import entered
from support.processes import wait_until
from support.proxy import PASSWORD, proxy_server
from support.sheets import rows, sheet
from support.zoho import StandIn, Start

from batchlock.doctor.examination import Request, examine

ENVELOPE = b'{"code":"AUTHENTICATION_FAILURE","details":{},"message":"no","status":"error"}'
Serve = Callable[..., Server]


def configured(stand_in: StandIn, **sections: Any) -> StandIn:
    """Write a configuration with which everything is good."""
    more = sections.pop("zoho", {})
    assert isinstance(more, dict)
    zoho = {"organization_id": "990000000", **more}
    stand_in.config(state_directory="state", zoho=zoho, **sections)
    Path("config.yaml").chmod(0o600)
    return stand_in


def config(**zoho: object) -> None:
    """Write a configuration without a stand-in."""
    sign_in = {"client_id": "me", "client_secret": "hush", "refresh_token": "mine"}
    Path("config.yaml").write_text(json.dumps({"zoho": {**sign_in, **zoho}}), "utf-8")


@pytest.fixture
def serve(stand_in_loop: asyncio.AbstractEventLoop) -> Iterator[Serve]:
    """Return a function that starts a raw server."""
    with ExitStack() as stack:
        yield lambda handler, **options: stack.enter_context(
            entered(stand_in_loop, raw_server(handler, **options))
        )


def doctor(run: RunCommand, *options: object) -> dict[str, str]:
    """Return what is not good, in short."""
    return not_good(run("doctor", "--json", *options))


def test_everything_is_good_with_a_healthy_org(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = configured(stand_in())
    result = run_in_process("doctor", "--json")
    assert (result.code, not_good(result)) == (0, {})
    assert not Path("state").exists()
    calls = zoho.state()["calls"]
    assert calls["put"] == calls["post"] == calls["delete"] == 0


def test_a_run_at_work_is_named(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = configured(stand_in("--latency", "1h"))
    sheet("in.csv", rows(1))
    with forked("run", "in.csv") as process:
        wait_until(lambda: Path("state/store.sqlite").exists() and is_running(), process)
        check = check_of(run_in_process("doctor", "--offline", "--json"), "work.running")
    assert check["state"] == "doubtful"
    assert "(default)" in check["message"]
    assert zoho.state()["calls"]["put"] == 0


def is_running() -> bool:
    sql = sqlite3.connect("state/store.sqlite")
    try:
        query = "SELECT count(*) FROM runs WHERE state = 'running' AND heartbeat_at IS NOT NULL"
        return bool(sql.execute(query).fetchone()[0])
    except sqlite3.OperationalError:  # the tables are not there yet
        return False
    finally:
        sql.close()


def test_the_locking_of_the_modules_in_use_is_asked_for(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    configured(stand_in())
    sheet("in.csv", [*rows(2), ("Deals", rows(3)[2][1], rows(3)[2][2], "x")])
    run_in_process("run", "in.csv")
    check = check_of(run_in_process("doctor", "--json"), "org.locking")
    assert check["message"] == "Record locking is configured for Leads, Deals."


def test_a_recent_token_is_used_again_and_none_is_stored(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = configured(stand_in())
    sheet("in.csv", rows(1))
    run_in_process("run", "in.csv")
    issued = zoho.state()["tokens_issued"]
    assert run_in_process("doctor").code == 0
    assert zoho.state()["tokens_issued"] == issued
    Path("state/tokens/default.json").unlink()
    assert run_in_process("doctor").code == 0
    assert zoho.state()["tokens_issued"] == issued + 1
    assert not Path("state/tokens/default.json").exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("client_id", "", "zoho.client_id is missing"),
        ("refresh_token", "invalid-token", "invalid_code"),
    ],
)
def test_a_sign_in_that_does_not_work_is_named(
    field: str, value: str, words: str, stand_in: Start, run_in_process: RunCommand
) -> None:
    from batchlock.simulator import MAGIC_SIGN_INS

    if value:
        value = next(one.value for one in MAGIC_SIGN_INS if one.answer and words in one.answer.code)
    configured(stand_in(), zoho={field: value})
    result = run_in_process("doctor", "--json")
    checks = {check["id"]: check for check in result.json["checks"] if check["state"] == "bad"}
    [(check_id, check)] = checks.items()
    assert words in check["message"]
    assert result.code == (5 if value else 2)
    assert check_id == ("sign_in.token" if value else "configuration.credentials")
    assert states(result)["sign_in.scopes" if value else "sign_in.token"] == "skipped"


def test_missing_scopes_are_named_with_the_commands_that_need_them(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    configured(stand_in("--scopes", "ZohoCRM.modules.ALL,ZohoCRM.org.READ,ZohoCRM.users.READ"))
    result = run_in_process("doctor", "--json")
    assert result.code == 0
    check = check_of(result, "sign_in.scopes")
    assert check["state"] == "doubtful"
    coql = "Without ZohoCRM.coql.READ locked records cannot be found by a query (locks)."
    assert coql in check["message"]


def test_a_sign_in_that_may_read_no_record_is_bad(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    configured(stand_in("--scopes", "ZohoCRM.org.READ"))
    result = run_in_process("doctor", "--json")
    assert result.code == 5
    assert check_of(result, "sign_in.scopes")["state"] == "bad"


def test_another_org_and_another_type_are_bad(stand_in: Start, run_in_process: RunCommand) -> None:
    configured(stand_in("--org-id", "990000001"))
    result = run_in_process("doctor", "--json")
    assert result.code == 2
    assert "990000001" in check_of(result, "org.identity")["message"]
    configured(stand_in("--org-type", "sandbox"))
    result = run_in_process("doctor", "--json")
    assert result.code == 2
    assert check_of(result, "org.identity")["state"] == "good"
    assert "sandbox" in check_of(result, "org.environment")["message"]


def test_an_org_that_is_not_pinned_is_doubtful(stand_in: Start, run_in_process: RunCommand) -> None:
    configured(stand_in(), zoho={"organization_id": None})
    result = run_in_process("doctor", "--json")
    assert (result.code, not_good(result)) == (0, {"org.pinned": "doubtful"})
    assert '"990000000"' in check_of(result, "org.pinned")["what_to_do"]


def test_credits_that_a_run_would_leave_are_doubtful(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    configured(stand_in("--credits", 60), limits={"keep_credits": 50})
    sheet("in.csv", rows(30))
    run_in_process("run", "in.csv")
    check = check_of(run_in_process("doctor", "--json"), "org.credits")
    assert check["state"] == "doubtful"


def test_a_host_of_another_data_centre_is_bad(stand_in: Start, run_in_process: RunCommand) -> None:
    configured(stand_in("--api-host", "www.zohoapis.eu"))
    result = run_in_process("doctor", "--json")
    assert check_of(result, "sign_in.token")["state"] == "bad"
    assert result.code in (2, 5)


def test_a_module_without_locking_is_doubtful(stand_in: Start, run_in_process: RunCommand) -> None:
    from batchlock.simulator import MAGIC_MODULES

    [module] = [one.name for one in MAGIC_MODULES if one.effect.code == "NOT_ALLOWED"]
    configured(stand_in(), input={"custom_modules": [module]})
    result = run_in_process("doctor", "--json")
    assert (result.code, not_good(result)) == (0, {"org.locking": "doubtful"})
    assert module in check_of(result, "org.locking")["message"]


def test_a_server_that_is_away_ends_with_exit_code_6(run_in_process: RunCommand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    config(api_url=url, accounts_url=url)
    result = run_in_process("doctor", "--json")
    assert result.code == 6
    assert "refused the connection" in check_of(result, "network.api")["message"]
    assert states(result)["sign_in.token"] == "skipped"
    # The folders and the store were checked all the same.
    assert states(result)["folders.state"] == states(result)["work.runs"] == "good"


def test_a_name_that_does_not_exist_is_named(run_in_process: RunCommand) -> None:
    config(api_url="https://no-such-host.invalid", accounts_url="https://no-such-host.invalid")
    result = run_in_process("doctor", "--json")
    assert result.code == 6
    check = check_of(result, "network.api_name")
    assert "no-such-host.invalid cannot be looked up" in check["message"]
    assert "data_center" in check["what_to_do"]
    assert states(result)["network.api"] == "skipped"


@pytest.mark.parametrize("handler", [resets, answers("403 Forbidden", HTML)], ids=["reset", "page"])
def test_something_else_in_the_place_of_zoho_is_named(
    handler: Handler, run_in_process: RunCommand
) -> None:
    with bad_server(handler) as server:
        url = f"http://127.0.0.1:{server.port}"
        config(api_url=url, accounts_url=url)
        result = run_in_process("doctor", "--json")
    assert result.code == 6
    assert check_of(result, "network.api")["state"] == "bad"


def test_a_server_that_hangs_stops_no_other_check(stand_in: Start) -> None:
    zoho = stand_in()
    with bad_server(hangs) as server:
        config(api_url=f"http://127.0.0.1:{server.port}", accounts_url=zoho.url)
        with ExitStack() as stack:
            diagnosis, _ = asyncio.run(examine(Request(call_seconds=2.0), stack))
    checks = {check.check_id: check for check in diagnosis.checks}
    assert checks["network.api"].state == "bad"
    assert checks["network.accounts"].state == "good"
    assert diagnosis.exit_code == 6


def test_a_certificate_that_is_not_trusted_is_explained(
    serve: Serve, run_in_process: RunCommand, pem: Path
) -> None:
    handler = answer_with(http_response(401, ENVELOPE, f"Date: {formatdate(usegmt=True)}"))
    server = serve(handler, tls=tls_of(pem))
    config(api_url=server.url, accounts_url=server.url)
    result = run_in_process("doctor", "--json")
    check = check_of(result, "network.api")
    assert (result.code, check["state"]) == (2, "bad")
    assert "self-signed certificate" in check["message"]
    assert "network.ca_file" in check["what_to_do"]


def test_the_certificate_and_the_clock_of_a_server_are_shown(
    serve: Serve, run_in_process: RunCommand, pem: Path
) -> None:
    yesterday = formatdate(1_700_000_000, usegmt=True)
    handler = answer_with(http_response(401, ENVELOPE, f"Date: {yesterday}"))
    server = serve(handler, tls=tls_of(pem))
    sign_in = {"client_id": "me", "client_secret": "hush", "refresh_token": "mine"}
    content = {
        "zoho": {**sign_in, "api_url": server.url, "accounts_url": server.url},
        "network": {"ca_file": str(pem)},
    }
    Path("config.yaml").write_text(json.dumps(content), "utf-8")
    result = run_in_process("doctor", "--json")
    check = check_of(result, "network.api")
    assert check["state"] == "good"
    assert "by TLSv1" in check["message"]
    assert "2126-10-31" in check["message"]
    clock = check_of(result, "network.clock")
    assert clock["state"] == "doubtful"
    assert "ahead of Zoho's" in clock["message"]


def test_a_proxy_that_wants_a_sign_in_is_named_without_its_password(
    stand_in_loop: asyncio.AbstractEventLoop, run_in_process: RunCommand
) -> None:
    user = f"me:{PASSWORD}"
    with entered(stand_in_loop, proxy_server(user=user, refusal_status=0)) as proxy:
        wrong = proxy.address("me:nothing-like-it")
        content = {
            "zoho": {"client_id": "me", "client_secret": "hush", "refresh_token": "mine"},
            "network": {"proxy": wrong},
        }
        Path("config.yaml").write_text(json.dumps(content), "utf-8")
        result = run_in_process("doctor", "--json")
    assert result.code == 2
    assert "HTTP 407" in check_of(result, "network.accounts")["message"]
    assert "go by the proxy 127.0.0.1" in check_of(result, "network.accounts_name")["message"]
    assert "nothing-like-it" not in result.out


def test_notices_are_checked_and_a_test_is_sent_only_when_asked_for(
    serve: Serve, stand_in: Start, run_in_process: RunCommand
) -> None:
    server = serve(answer_with(http_response(200)))
    configured(stand_in(), notify={"webhook": f"{server.url}/secret-part"})
    result = run_in_process("doctor", "--json")
    assert (result.code, server.requests) == (0, [])
    assert states(result)["notices.webhook"] == "good"
    result = run_in_process("doctor", "--json", "--notify")
    assert (result.code, len(server.requests)) == (0, 1)
    assert states(result)["notices.test.1"] == "good"
    assert "secret-part" not in result.out
    assert run_in_process("doctor", "--notify", "--offline").code == 2


def test_a_notice_that_arrives_nowhere_is_bad(stand_in: Start, run_in_process: RunCommand) -> None:
    configured(stand_in())
    result = run_in_process("doctor", "--json", "--notify")
    assert (result.code, not_good(result)) == (2, {"notices.test": "bad"})


def test_a_proxy_that_is_no_address_is_bad_without_a_connection(
    run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    config()
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pass-word@a b")
    result = run_in_process("doctor", "--json")
    assert result.code == 2
    assert check_of(result, "configuration.credentials")["state"] == "bad"
    assert "HTTPS_PROXY" in run_in_process("doctor", "-q").out
    assert "pass-word" not in result.out
