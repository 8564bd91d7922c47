"""The device flow, against an accounts server whose answers the tests choose."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from pydantic import SecretStr
from support.token_endpoint import HTML, OAUTH_CLIENT, Endpoint, answer_in_turn, token_endpoint

from batchlock.core.errors import BatchlockError, SignInRefused, Stopped
from batchlock.zoho.device_flow import (
    DeviceAnswer,
    DeviceCode,
    poll,
    request_device_code,
    wait_for_approval,
)
from batchlock.zoho.scopes import SCOPES

CODE = {
    "device_code": "1004.abc",
    "user_code": "WDJB-MJHT",
    "verification_url": "https://accounts.zoho.eu/oauth/v3/device",
    "interval": 5000,
    "expires_in": 300000,
}
GRANTED = {"access_token": "1000.a", "refresh_token": "1000.r", "scope": "ZohoCRM.org.READ"}


def requested(answer: object, status: int = 200) -> tuple[DeviceCode, Endpoint]:
    async def main() -> tuple[DeviceCode, Endpoint]:
        async with (
            token_endpoint(answer_in_turn((status, answer))) as endpoint,
            aiohttp.ClientSession() as session,
        ):
            client = replace(OAUTH_CLIENT, accounts_url=endpoint.url)
            code = await request_device_code(client, session=session, timeout_seconds=60)
            return code, endpoint

    return asyncio.run(main())


def polled(answer: object, status: int = 200) -> tuple[DeviceAnswer, Endpoint]:
    async def main() -> tuple[DeviceAnswer, Endpoint]:
        async with (
            token_endpoint(answer_in_turn((status, answer))) as endpoint,
            aiohttp.ClientSession() as session,
        ):
            client = replace(OAUTH_CLIENT, accounts_url=endpoint.url)
            secret = SecretStr("1004.abc")
            answered = await poll(client, secret, session=session, timeout_seconds=60)
            return answered, endpoint

    return asyncio.run(main())


def test_a_code_is_asked_for_with_all_scopes_and_without_the_secret() -> None:
    code, endpoint = requested(CODE)
    assert (code.user_code, code.url) == ("WDJB-MJHT", CODE["verification_url"])
    (form,) = endpoint.forms
    assert form["scope"] == [",".join(SCOPES)]
    assert form["access_type"] == ["offline"]
    assert form.keys().isdisjoint({"client_secret", "refresh_token"})


@pytest.mark.parametrize(
    ("times", "lifetime", "interval"),
    [
        ({"interval": 5000, "expires_in": 300000}, 300, 30),  # milliseconds
        ({"interval": 5, "expires_in": 300}, 300, 30),
        ({"interval": 60, "expires_in": 1800}, 1800, 60),
        ({"interval": 60000, "expires_in": 1800000}, 1800, 60),
        ({"interval": "5", "expires_in": None}, 300, 30),
        ({"interval": -1, "expires_in": True}, 300, 30),
    ],
)
def test_times_are_seconds_or_milliseconds(
    times: dict[str, object], lifetime: float, interval: float
) -> None:
    code, _ = requested({**CODE, **times})
    assert (code.lifetime_seconds, code.interval_seconds) == (lifetime, interval)


@pytest.mark.parametrize(
    "changed",
    [
        {"device_code": "two\nlines"},
        {"device_code": 5},
        {"user_code": ""},
        {"user_code": "x" * 100},
        {"verification_url": "javascript:alert(1)"},
        {"verification_url": "http://accounts.zoho.eu/"},
        {"verification_url": "https://a b"},
        {"verification_url": None},
    ],
)
def test_a_code_that_cannot_be_shown_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(SignInRefused, match="Non-browser"):
        requested({**CODE, **changed})


@pytest.mark.parametrize(
    ("answer", "is_too_fast"),
    [({"error": "authorization_pending"}, False), ({"error": "slow_down"}, True)],
)
def test_a_code_that_nobody_has_accepted_yet_is_waited_for(
    answer: object, is_too_fast: bool
) -> None:
    assert polled(answer)[0] == DeviceAnswer(is_too_fast=is_too_fast)


def test_an_accepted_code_gives_the_refresh_token() -> None:
    answer, endpoint = polled(GRANTED)
    assert answer.refresh_token == SecretStr("1000.r")
    assert answer.scopes == "ZohoCRM.org.READ"
    assert endpoint.forms[0]["grant_type"] == ["device_token"]
    assert endpoint.forms[0]["code"] == ["1004.abc"]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"error": "access_denied"}, SignInRefused, "rejected at Zoho"),
        ({"error": "expired"}, SignInRefused, "time for the code is over"),
        ({"error": "other_dc"}, SignInRefused, "another data centre than EU"),
        ({"error": "invalid_client_secret"}, SignInRefused, "client secret"),
        ({"error": "invalid_code"}, SignInRefused, "invalid_code"),
        ({"access_token": "1000.a"}, SignInRefused, "no refresh token"),
        (HTML, Stopped, "Zoho"),
        ([], Stopped, "Zoho"),
    ],
)
def test_another_answer_is_named(answer: object, kind: type[BatchlockError], words: str) -> None:
    with pytest.raises(kind, match=words) as error:
        polled(answer)
    assert "1004.abc" not in str(error.value)


def test_no_answer_is_not_the_end_of_the_code() -> None:
    async def main() -> None:
        client = replace(OAUTH_CLIENT, accounts_url="http://127.0.0.1:9")
        async with aiohttp.ClientSession() as session:
            await poll(client, SecretStr("1004.abc"), session=session, timeout_seconds=60)

    with pytest.raises(Stopped):
        asyncio.run(main())


class Waits:
    """A clock that only the waits advance; a person accepts the code in one of them."""

    def __init__(self, accept_in: int | None = None) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._accept_in = accept_in

    def clock(self) -> float:
        return self.now

    async def sleep(self, event: asyncio.Event, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == self._accept_in:
            event.set()
            self.now += 1  # a person needs less than the interval
        else:
            self.now += seconds


def waited(waits: Waits, *answers: object) -> tuple[DeviceAnswer, list[float]]:
    async def main() -> DeviceAnswer:
        async with (
            token_endpoint(answer_in_turn(*((200, answer) for answer in answers))) as endpoint,
            aiohttp.ClientSession() as session,
        ):
            client = replace(OAUTH_CLIENT, accounts_url=endpoint.url)
            code = DeviceCode(
                device_code=SecretStr("1004.abc"),
                user_code="WDJB-MJHT",
                url="https://accounts.zoho.eu",
                lifetime_seconds=300.0,
                interval_seconds=30.0,
            )
            return await wait_for_approval(
                client,
                code,
                session=session,
                timeout_seconds=60,
                accepted=asyncio.Event(),
                clock=waits.clock,
                sleep=waits.sleep,
            )

    return asyncio.run(main()), waits.waits


def test_the_polls_keep_the_interval_and_double_it_when_they_are_too_fast() -> None:
    pending, fast = {"error": "authorization_pending"}, {"error": "slow_down"}
    answer, waits = waited(Waits(), pending, fast, HTML, GRANTED)
    assert answer.refresh_token == SecretStr("1000.r")
    assert waits == [30, 30, 60, 60]


def test_whoever_has_accepted_the_code_waits_for_no_interval_but_the_one_between_polls() -> None:
    answer, waits = waited(Waits(accept_in=1), GRANTED)
    assert (answer.refresh_token, waits) == (SecretStr("1000.r"), [30])
    _, waits = waited(Waits(accept_in=2), {"error": "authorization_pending"}, GRANTED)
    assert waits == [30, 30, 29]


def test_the_wait_ends_with_the_life_of_the_code() -> None:
    with pytest.raises(SignInRefused, match="time for the code is over"):
        waited(Waits(), {"error": "authorization_pending"})
