import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

from batchlock.simulator import (
    DEFAULT_REASON,
    MAGIC_MODULES,
    MAGIC_RECORDS,
    MAGIC_SIGN_INS,
    ORGANIZATION_ID,
    Behaviour,
    Fault,
    Kind,
    MagicModule,
    MagicRecord,
    MagicSignIn,
    Simulator,
    lock_id_of,
    serving,
)

DOCS = ROOT / "docs" / "simulator.md"
RECORD = "5843104000000425565"
LOCK = "5843104000000804005"
KEY = f"Leads/{RECORD}"
CREDENTIALS = {
    "grant_type": "refresh_token",
    "refresh_token": "mine",
    "client_id": "me",
    "client_secret": "hush",
}
FIXED = [magic for magic in MAGIC_RECORDS if magic.answer is not None]
ONCE = [magic for magic in MAGIC_RECORDS if magic.times]
CHANGING = {Fault.DROPPED_AFTER, Fault.CUT_BODY, Fault.CUT_CONNECTION, Fault.HANG}


def magic_id(does: object, *, once: bool = False) -> str:
    (found,) = [
        magic.record_id
        for magic in MAGIC_RECORDS
        if magic.does == does and bool(magic.times) == once and Kind.PUT in magic.calls
    ]
    return found


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def content(self) -> Any:
        return orjson.loads(self.body)

    @property
    def item(self) -> Any:
        content = self.content
        return content["data"][0] if "data" in content else content

    @property
    def code(self) -> str:
        return str(self.item["code"])


class LockApi:
    """A client with nothing clever in it: one connection per call, no redirects, no retries."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.authorization = ""
        self._session = session

    async def call(self, method: str, path: str, **more: Any) -> Got:
        headers = {"Authorization": self.authorization} | more.pop("headers", {})
        async with self._session.request(
            method, self.simulator.url + path, headers=headers, allow_redirects=False, **more
        ) as response:
            return Got(response.status, await response.read(), response.headers)

    async def sign_in(self, **form: str) -> Got:
        got = await self.call("POST", "/oauth/v2/token", data=CREDENTIALS | form)
        if got.status == 200 and b"access_token" in got.body:
            self.authorization = f"Zoho-oauthtoken {got.content['access_token']}"
        return got

    async def put(
        self,
        record_id: str = RECORD,
        lock_id: str = LOCK,
        *,
        module: str = "Leads",
        reason: object = "new",
        **more: Any,
    ) -> Got:
        body = orjson.dumps({"data": [{"Locked_Reason__s": reason}]})
        path = f"/crm/v7/{module}/{record_id}/Locking_Information__s/{lock_id}"
        return await self.call("PUT", path, data=body, **more)

    async def post(self, record_id: str = RECORD) -> Got:
        body = orjson.dumps({"data": [{"Locked_Reason__s": "again"}]})
        path = f"/crm/v7/Leads/{record_id}/Locking_Information__s"
        return await self.call("POST", path, data=body)

    async def look(self, record_id: str = RECORD, lock_id: str = "", *, query: str = "") -> Got:
        path = f"/crm/v7/Leads/{record_id}/Locking_Information__s/{lock_id}".rstrip("/")
        return await self.call("GET", path + query)

    async def delete(self, record_id: str = RECORD, lock_id: str = LOCK) -> Got:
        path = f"/crm/v7/Leads/{record_id}/Locking_Information__s/{lock_id}"
        return await self.call("DELETE", path)


@asynccontextmanager
async def calling(behaviour: Behaviour | None = None, **more: Any) -> AsyncIterator[LockApi]:
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        serving(behaviour, **more) as simulator,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        # aiohttp sends an idempotent call whose connection drops a second time, unasked.
        session._retry_connection = False
        caller = LockApi(simulator, session)
        await caller.sign_in()
        yield caller


def rehearse(
    script: Callable[[LockApi], Awaitable[None]],
    behaviour: Behaviour | None = None,
    **more: Any,
) -> None:
    async def run() -> None:
        async with calling(behaviour, **more) as caller:
            await script(caller)

    asyncio.run(run())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the server counts, and tells nobody
            await asyncio.sleep(0.001)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# Locks


def test_an_update_is_seen_by_the_next_look() -> None:
    async def script(zoho: LockApi) -> None:
        done = await zoho.put(reason="für später 🔒")
        assert done.status == 200
        assert done.content == {
            "data": [
                {
                    "code": "SUCCESS",
                    "details": {"id": LOCK},
                    "message": "relation updated",
                    "status": "success",
                }
            ]
        }
        seen = (await zoho.look()).content
        assert seen["data"][0]["id"] == LOCK
        assert seen["data"][0]["Locked_Reason__s"] == "für später 🔒"
        assert seen["data"][0]["Locked_For__s"]["module"]["api_name"] == "Leads"
        assert seen["info"]["count"] == 1
        assert (await zoho.look(lock_id=LOCK)).item["Locked_Reason__s"] == "für später 🔒"
        assert zoho.simulator.locks.known[KEY].updates == 1

    rehearse(script)


def test_a_record_nobody_told_of_is_locked() -> None:
    async def script(zoho: LockApi) -> None:
        item = (await zoho.look()).item
        assert item["id"] == lock_id_of(RECORD) == "5843104000000574434"
        assert item["Locked_Reason__s"] == DEFAULT_REASON
        assert (await zoho.look(lock_id=LOCK)).item["id"] == LOCK
        assert zoho.simulator.locks.known == {}

    rehearse(script)


@given(st.from_regex(r"[1-9][0-9]{9,19}", fullmatch=True))
def test_a_made_lock_id_is_well_formed_and_leads_back(record_id: str) -> None:
    lock_id = lock_id_of(record_id)
    assert len(lock_id) == len(record_id)
    assert lock_id.isdecimal()
    assert lock_id != record_id
    assert lock_id_of(lock_id) == record_id


def test_another_lock_id_on_a_known_record_is_refused() -> None:
    async def script(zoho: LockApi) -> None:
        await zoho.put()
        other = f"{LOCK[:-1]}6"
        for got in (await zoho.put(lock_id=other), await zoho.delete(lock_id=other)):
            assert (got.status, got.code) == (400, "INVALID_DATA")
            assert got.item["details"] == {"resource_path_index": 3}
        assert (await zoho.look(lock_id=other)).status == 204
        zoho.simulator.locks.tell("Leads", RECORD, lock_id=other, reason="told")
        assert (await zoho.look()).item["Locked_Reason__s"] == "told"

    rehearse(script)


def test_a_record_is_unlocked_and_locked_again() -> None:
    async def script(zoho: LockApi) -> None:
        locked = await zoho.post()
        assert (locked.status, locked.code) == (403, "NOT_ALLOWED")
        unlocked = await zoho.delete()
        assert (unlocked.status, unlocked.item["message"]) == (200, "relation removed")
        nothing = await zoho.look()
        assert (nothing.status, nothing.body) == (204, b"")
        assert "Content-Type" not in nothing.headers
        for gone in (await zoho.put(), await zoho.delete()):
            assert (gone.status, gone.item["message"]) == (400, "relation not found")
        added = await zoho.post()
        assert (added.status, added.item["message"]) == (201, "record added")
        lock_id = added.item["details"]["id"]
        assert (await zoho.look()).item["id"] == lock_id
        assert (await zoho.put(lock_id=lock_id)).status == 200

    rehearse(script)


def test_a_look_shows_the_fields_it_was_asked_for() -> None:
    async def script(zoho: LockApi) -> None:
        item = (await zoho.look(query="?fields=Locked_Reason__s,Lock_Source__s")).item
        assert set(item) == {"id", "Locked_Reason__s", "Lock_Source__s"}

    rehearse(script)


def test_an_automatic_lock_has_no_reason_until_it_is_given_one() -> None:
    async def script(zoho: LockApi) -> None:
        record = "990000000000000402"
        before = (await zoho.look(record)).item
        assert before["Locked_Reason__s"] is None
        assert before["Lock_Source__s"] == "Automatic"
        assert (await zoho.put(record)).status == 200
        after = (await zoho.look(record)).item
        assert (after["Locked_Reason__s"], after["Lock_Source__s"]) == ("new", "Both")

    rehearse(script)


def test_a_record_that_is_not_locked_can_be_locked() -> None:
    async def script(zoho: LockApi) -> None:
        record = "990000000000000401"
        assert (await zoho.look(record)).status == 204
        assert (await zoho.put(record)).item["message"] == "relation not found"
        assert (await zoho.post(record)).status == 201
        assert (await zoho.look(record)).item["Locked_Reason__s"] == "again"

    rehearse(script)


# What a call may look like


@pytest.mark.parametrize("version", ["v3", "v4", "v5", "v6", "v7", "v8"])
def test_every_version_is_spoken(version: str) -> None:
    async def script(zoho: LockApi) -> None:
        path = f"/crm/{version}/Leads/{RECORD}/Locking_Information__s"
        assert (await zoho.call("GET", path)).status == 200

    rehearse(script)


@pytest.mark.parametrize(
    "path",
    [
        f"/crm/v2/Leads/{RECORD}/Locking_Information__s",
        f"/v7/Leads/{RECORD}/Locking_Information__s",
        f"/crm/v7/Leads/{RECORD}/Notes",
        "/crm/v7/Leads/123456789/Locking_Information__s",
        "/crm/v7/Leads/123456789012345678901/Locking_Information__s",
        "/crm/v7/Leads/zcrm_5843104000000425565/Locking_Information__s",
        f"/crm/v7/Leads/{RECORD}/Locking_Information__s/12345",
        f"/crm/v7/Leads/{RECORD}/Locking_Information__s/{LOCK}/more",
        "/crm/v7",
        "/",
        "/oauth/v2/auth",
    ],
)
def test_a_wrong_url_is_not_found(path: str) -> None:
    async def script(zoho: LockApi) -> None:
        got = await zoho.call("GET", path)
        assert (got.status, got.code) == (404, "INVALID_URL_PATTERN")

    rehearse(script)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"/crm/v7/Leads/{RECORD}/Locking_Information__s"),
        ("DELETE", f"/crm/v7/Leads/{RECORD}/Locking_Information__s"),
        ("POST", f"/crm/v7/Leads/{RECORD}/Locking_Information__s/{LOCK}"),
        ("PATCH", f"/crm/v7/Leads/{RECORD}/Locking_Information__s/{LOCK}"),
        ("POST", "/crm/v7/org"),
    ],
)
def test_a_wrong_method_is_refused(method: str, path: str) -> None:
    async def script(zoho: LockApi) -> None:
        got = await zoho.call(method, path)
        assert (got.status, got.code) == (403, "INVALID_REQUEST_METHOD")

    rehearse(script)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("Sales_Orders", "SUCCESS"),
        ("CustomModule1", "SUCCESS"),
        ("Machines__c", "SUCCESS"),
        ("sales_orders", "INVALID_MODULE"),
        ("Sales%20Orders", "INVALID_MODULE"),
    ],
)
def test_a_module_is_known_by_its_api_name(module: str, code: str) -> None:
    async def script(zoho: LockApi) -> None:
        assert (await zoho.put(module=module)).code == code

    rehearse(script)


@pytest.mark.parametrize("magic", MAGIC_MODULES, ids=lambda magic: magic.name)
def test_a_magic_module_gets_its_answer(magic: MagicModule) -> None:
    async def script(zoho: LockApi) -> None:
        got = await zoho.put(module=magic.name)
        assert (got.status, got.body) == (magic.does.status, magic.does.body)

    rehearse(script)


@pytest.mark.parametrize(
    ("body", "code", "in_data"),
    [
        (b"", "INVALID_DATA", False),
        (b'{"data":[{"Locked_', "INVALID_DATA", False),
        (b"[]", "INVALID_DATA", False),
        (b"{}", "MANDATORY_NOT_FOUND", False),
        (b'{"data":{}}', "MANDATORY_NOT_FOUND", False),
        (b'{"data":[]}', "INVALID_DATA", False),
        (b'{"data":[{"Locked_Reason__s":"a"},{"Locked_Reason__s":"b"}]}', "INVALID_DATA", False),
        (b'{"data":["a"]}', "INVALID_DATA", False),
        (b'{"data":[{}]}', "MANDATORY_NOT_FOUND", True),
        (b'{"data":[{"Locked_Reason__s":null}]}', "MANDATORY_NOT_FOUND", True),
        (b'{"data":[{"Locked_Reason__s":" "}]}', "MANDATORY_NOT_FOUND", True),
        (b'{"data":[{"Locked_Reason__s":"' + b"x" * 3001 + b'"}]}', "INVALID_DATA", True),
    ],
)
def test_a_body_without_one_good_reason_is_refused(body: bytes, code: str, in_data: bool) -> None:
    async def script(zoho: LockApi) -> None:
        path = f"/crm/v7/Leads/{RECORD}/Locking_Information__s"
        for got in (
            await zoho.call("PUT", f"{path}/{LOCK}", data=body),
            await zoho.call("POST", path, data=body),
        ):
            assert (got.status, got.code) == (400, code)
            assert ("data" in got.content) == in_data
        assert zoho.simulator.locks.known == {}

    rehearse(script)


def test_a_reason_may_have_3000_characters_of_any_script() -> None:
    async def script(zoho: LockApi) -> None:
        assert (await zoho.put(reason="ж" * 3000)).status == 200

    rehearse(script)


def test_a_call_needs_no_content_type() -> None:
    async def script(zoho: LockApi) -> None:
        assert (await zoho.put(skip_auto_headers=["Content-Type"])).status == 200

    rehearse(script)


def test_the_org_says_who_it_is() -> None:
    async def script(zoho: LockApi) -> None:
        org = (await zoho.call("GET", "/crm/v8/org")).content["org"][0]
        assert org["zgid"] == ORGANIZATION_ID
        assert org["type"] == "production"
        assert (await zoho.call("GET", "/crm/v8/users?type=CurrentUser")).status == 200

    rehearse(script)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("fields?module=Locking_Information__s", 204),
        ("record_locking_configurations?module=Leads", 200),
        ("record_locking_configurations?module=Not_Configured", 204),
        ("record_locking_configurations?module=No_Such_Module", 400),
        ("record_locking_configurations?module=leads", 400),
        ("record_locking_configurations", 400),
    ],
)
def test_settings_are_answered(query: str, status: int) -> None:
    async def script(zoho: LockApi) -> None:
        assert (await zoho.call("GET", f"/crm/v8/settings/{query}")).status == status

    rehearse(script)


# Magic record ids


@pytest.mark.parametrize("magic", FIXED, ids=lambda magic: magic.record_id)
def test_a_magic_record_gets_its_answer(magic: MagicRecord) -> None:
    async def script(zoho: LockApi) -> None:
        answer = magic.answer
        assert answer is not None
        calls = {
            Kind.PUT: zoho.put,
            Kind.GET: zoho.look,
            Kind.POST: zoho.post,
            Kind.DELETE: zoho.delete,
        }
        for kind, call in calls.items():
            got = await call(magic.record_id)
            if kind in magic.calls:
                assert (got.status, got.body) == (answer.status, answer.body)
                assert got.headers.get("Location", "") == answer.location
            else:
                assert got.status in (200, 201, 204, 403)
        changed = zoho.simulator.locks.known.keys() - {f"Leads/{magic.record_id}"}
        assert changed == set()

    rehearse(script)


def test_both_envelopes_and_the_older_one_are_in_use() -> None:
    bodies = [
        orjson.loads(magic.answer.body) for magic in FIXED if magic.answer and magic.answer.code
    ]
    assert any("data" in body for body in bodies)
    assert any(isinstance(body.get("code"), str) for body in bodies)
    assert any(body.get("code") == 429 for body in bodies)


@pytest.mark.parametrize("magic", ONCE, ids=lambda magic: magic.record_id)
def test_trouble_that_comes_once_is_over_then(magic: MagicRecord) -> None:
    async def script(zoho: LockApi) -> None:
        for module in ("Leads", "Deals"):
            first: Got | None = None
            try:
                timeout = aiohttp.ClientTimeout(0.1 if magic.does is Fault.HANG else 10)
                first = await zoho.put(magic.record_id, module=module, timeout=timeout)
            except (aiohttp.ClientError, TimeoutError):
                assert magic.answer is None
            if first is not None and first.status == 200:
                assert magic.does is Fault.CUT_BODY
            assert (await zoho.put(magic.record_id, module=module)).code == "SUCCESS"
            updates = zoho.simulator.locks.known[f"{module}/{magic.record_id}"].updates
            assert updates == (2 if magic.does in CHANGING else 1)

    rehearse(script)


@pytest.mark.parametrize("fault", [Fault.DROPPED_BEFORE, Fault.DROPPED_AFTER])
def test_a_dropped_call_gets_no_answer(fault: Fault) -> None:
    async def script(zoho: LockApi) -> None:
        with pytest.raises(aiohttp.ClientConnectionError):
            await zoho.put(magic_id(fault))
        assert (zoho.simulator.ledger.updates == 1) == (fault in CHANGING)
        assert zoho.simulator.ledger.answers["dropped"] == 1

    rehearse(script)


def test_a_cut_body_is_no_json_but_the_change_was_made() -> None:
    async def script(zoho: LockApi) -> None:
        got = await zoho.put(magic_id(Fault.CUT_BODY))
        assert got.status == 200
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(got.body)
        assert zoho.simulator.ledger.updates == 1

    rehearse(script)


def test_a_connection_cut_in_the_body_ends_before_its_length() -> None:
    async def script(zoho: LockApi) -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await zoho.put(magic_id(Fault.CUT_CONNECTION))
        assert zoho.simulator.ledger.updates == 1
        assert zoho.simulator.ledger.answers["cut"] == 1

    rehearse(script)


def test_a_hanging_call_is_in_flight_until_its_caller_gives_up() -> None:
    async def script(zoho: LockApi) -> None:
        ledger = zoho.simulator.ledger
        call = asyncio.create_task(zoho.put(magic_id(Fault.HANG)))
        await until(lambda: ledger.answers["hung"] == 1)
        assert (ledger.in_flight, ledger.updates) == (1, 1)
        call.cancel()
        await until(lambda: ledger.in_flight == 0)

    rehearse(script)


def test_the_stand_in_stops_while_calls_hang() -> None:
    async def run() -> None:
        async with calling() as zoho:
            call = asyncio.create_task(zoho.put(magic_id(Fault.HANG)))
            await until(lambda: zoho.simulator.ledger.in_flight == 1)
        with pytest.raises(aiohttp.ClientError):
            await call

    asyncio.run(run())


# Limits


def test_a_call_above_the_cap_is_refused_at_once() -> None:
    async def script(zoho: LockApi) -> None:
        ledger = zoho.simulator.ledger
        hanging = [asyncio.create_task(zoho.put(magic_id(Fault.HANG))) for _ in range(2)]
        await until(lambda: ledger.in_flight == 2)
        refused = await zoho.put()
        assert (refused.status, refused.code) == (429, "TOO_MANY_REQUESTS")
        assert refused.headers["Retry-After"] == "0.5"
        assert ledger.in_flight_peak == 3
        for call in hanging:
            call.cancel()
        await until(lambda: ledger.in_flight == 0)
        assert (await zoho.put()).status == 200
        assert ledger.credits_used == 3

    rehearse(script, Behaviour(in_flight_cap=2, retry_after=0.5))


def test_calls_wait_beside_each_other() -> None:
    async def script(zoho: LockApi) -> None:
        calls = [zoho.put(f"{RECORD[:-1]}{digit}") for digit in range(5)]
        assert {got.status for got in await asyncio.gather(*calls)} == {200}
        assert zoho.simulator.ledger.in_flight_peak == 5

    rehearse(script, Behaviour(latency=0.2, jitter=0.01, in_flight_cap=None))


def test_spent_credits_are_told_and_then_refused() -> None:
    async def script(zoho: LockApi) -> None:
        left = [(await zoho.put()).headers.get("X-API-CREDITS-REMAINING") for _ in range(4)]
        assert left == [None, "2", "1", "0"]
        refused = await zoho.put()
        assert (refused.status, refused.content["code"]) == (429, 429)
        assert refused.headers["X-API-CREDITS-REMAINING"] == "0"
        assert "Retry-After" not in refused.headers
        assert (await zoho.sign_in()).status == 200
        assert zoho.simulator.state()["credits_left"] == 0

    rehearse(script, Behaviour(credits=4))


def test_chosen_calls_are_throttled() -> None:
    async def script(zoho: LockApi) -> None:
        statuses = [(await zoho.put()).status for _ in range(4)]
        assert statuses == [200, 429, 200, 429]
        marks = zoho.simulator.ledger.calls(Kind.PUT)["throttled"]
        assert marks == [0, 1, 0, 1]

    rehearse(script, Behaviour(throttle_at=frozenset({2, 4})))


@pytest.mark.parametrize(
    ("lasts", "expected"),
    [(None, [200, 200, 500, 500, 500, 500]), (2, [200, 200, 500, 500, 200, 200])],
)
def test_an_outage_starts_at_a_put(lasts: int | None, expected: list[int]) -> None:
    async def script(zoho: LockApi) -> None:
        calls = (zoho.put, zoho.look, zoho.put, zoho.look, zoho.put, zoho.look)
        assert [(await call()).status for call in calls] == expected

    rehearse(script, Behaviour(fail_from=2, fail_calls=lasts))


# Faults by chance


def faults_met(seed: int, faults: Mapping[Fault, float]) -> list[str]:
    met: list[str] = []

    async def script(zoho: LockApi) -> None:
        for _ in range(60):
            try:
                got = await zoho.put()
                met.append(f"{got.status} {len(got.body)}")
            except aiohttp.ClientError as error:
                met.append(type(error).__name__)

    rehearse(script, Behaviour(faults=faults, seed=seed))
    return met


def test_the_same_seed_meets_the_same_faults() -> None:
    faults: dict[Fault, float] = {fault: 0.1 for fault in Fault if fault is not Fault.HANG}
    first = faults_met(7, faults)
    assert first == faults_met(7, faults)
    assert first != faults_met(8, faults)
    assert len(set(first)) > 5


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.SERVER_ERROR, 500),
        (Fault.BAD_GATEWAY, 502),
        (Fault.PROXY_PAGE, 403),
        (Fault.THROTTLED, 429),
    ],
)
def test_a_fault_with_an_answer_changes_nothing(fault: Fault, status: int) -> None:
    async def script(zoho: LockApi) -> None:
        assert (await zoho.put()).status == status
        assert zoho.simulator.locks.known == {}

    rehearse(script, Behaviour(faults={fault: 1.0}))


def test_an_answer_without_a_body_can_be_cut_too() -> None:
    async def script(zoho: LockApi) -> None:
        zoho.simulator.locks.tell("Leads", RECORD, lock_id=None)
        assert (await zoho.look()).body == b""

    for fault in (Fault.CUT_BODY, Fault.CUT_CONNECTION):
        rehearse(script, Behaviour(faults={fault: 1.0}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": -1},
        {"jitter": -0.1},
        {"retry_after": -1},
        {"in_flight_cap": 0},
        {"credits": -1},
        {"throttle_at": frozenset({0})},
        {"fail_from": 0},
        {"fail_calls": 0},
        {"faults": {Fault.HANG: 1.1}},
        {"faults": {Fault.HANG: -0.1}},
        {"faults": {Fault.HANG: 0.6, Fault.THROTTLED: 0.6}},
    ],
)
def test_a_behaviour_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match="share" if name == "faults" else name):
        Behaviour(**wrong)


# Sign-in


def test_a_refresh_token_gives_an_access_token() -> None:
    async def script(zoho: LockApi) -> None:
        got = (await zoho.sign_in()).content
        assert got.keys() == {"access_token", "api_domain", "token_type", "expires_in"}
        assert got["api_domain"] == zoho.simulator.url
        assert got["expires_in"] == 3600

    rehearse(script)


def test_a_token_may_be_asked_for_in_the_query() -> None:
    async def script(zoho: LockApi) -> None:
        got = await zoho.call("POST", "/oauth/v2/token", params=CREDENTIALS)
        assert "access_token" in got.content

    rehearse(script)


def test_a_grant_code_is_good_once_and_gives_a_refresh_token() -> None:
    async def script(zoho: LockApi) -> None:
        form = {"grant_type": "authorization_code", "code": "1000.abc"}
        first = (await zoho.sign_in(**form)).content
        assert (await zoho.put()).status == 200
        assert "access_token" in (await zoho.sign_in(refresh_token=first["refresh_token"])).content
        again = await zoho.sign_in(**form)
        assert (again.status, again.content) == (200, {"error": "invalid_code"})

    rehearse(script)


@pytest.mark.parametrize("grant_type", ["refresh_token", "authorization_code"])
@pytest.mark.parametrize("magic", MAGIC_SIGN_INS, ids=lambda magic: f"{magic.field}-{magic.value}")
def test_a_magic_sign_in_gets_its_answer(magic: MagicSignIn, grant_type: str) -> None:
    async def script(zoho: LockApi) -> None:
        field = magic.field
        if field == "token":
            field = "code" if grant_type == "authorization_code" else "refresh_token"
        form = {"grant_type": grant_type, "code": "1000.abc", field: magic.value}
        got = await zoho.sign_in(**form)
        if magic.answer is not None:
            assert (got.status, got.body) == (magic.answer.status, magic.answer.body)
            return
        assert got.content["api_domain"] == (magic.api_domain or zoho.simulator.url)
        assert got.content.get("refresh_token", magic.value) == magic.value
        called = await zoho.put()
        if magic.to_calls is None:
            assert called.status == 200
        else:
            assert (called.status, called.body) == (magic.to_calls.status, magic.to_calls.body)

    rehearse(script)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": ""}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client_secret"),
        ({"refresh_token": ""}, "invalid_code"),
        ({"grant_type": "authorization_code"}, "invalid_code"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_an_incomplete_token_request_is_refused(form: dict[str, str], error: str) -> None:
    async def script(zoho: LockApi) -> None:
        got = await zoho.sign_in(**form)
        assert (got.status, got.content) == (200, {"error": error})

    rehearse(script)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "AUTHENTICATION_FAILURE"),
        ("Bearer 1000.abc", "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken 1000.abc", "INVALID_TOKEN"),
    ],
)
def test_a_call_needs_a_token_of_this_org(authorization: str, code: str) -> None:
    async def script(zoho: LockApi) -> None:
        zoho.authorization = authorization
        got = await zoho.put()
        assert (got.status, got.code) == (401, code)
        assert zoho.simulator.ledger.credits_used == 0
        assert zoho.simulator.locks.known == {}

    rehearse(script)


def test_an_access_token_ends_when_its_time_is_over() -> None:
    clock = Clock()

    async def script(zoho: LockApi) -> None:
        clock.now += 59
        assert (await zoho.put()).status == 200
        clock.now += 1
        got = await zoho.put()
        assert (got.status, got.code) == (401, "INVALID_TOKEN")
        await zoho.sign_in()
        assert (await zoho.put()).status == 200

    rehearse(script, Behaviour(token_lifetime=60), clock=clock)


def test_the_eleventh_token_in_ten_minutes_is_denied() -> None:
    clock = Clock()

    async def script(zoho: LockApi) -> None:
        for _ in range(9):
            assert "access_token" in (await zoho.sign_in()).content
        denied = await zoho.sign_in()
        assert (denied.status, denied.content["error"]) == (400, "Access Denied")
        assert "access_token" in (await zoho.sign_in(refresh_token="another")).content
        clock.now += 600
        assert "access_token" in (await zoho.sign_in()).content
        assert zoho.simulator.state()["token_requests"] == 13
        assert zoho.simulator.state()["tokens_issued"] == 12

    rehearse(script, clock=clock)


def test_the_sixteenth_live_token_ends_the_oldest() -> None:
    clock = Clock()

    async def script(zoho: LockApi) -> None:
        tokens = [zoho.authorization]
        for _ in range(15):
            clock.now += 61
            await zoho.sign_in()
            tokens.append(zoho.authorization)
        statuses = []
        for zoho.authorization in tokens:
            statuses.append((await zoho.put()).status)
        assert statuses == [401] + [200] * 15

    rehearse(script, clock=clock)


# What it saw


def test_its_state_is_open_to_other_processes() -> None:
    async def script(zoho: LockApi) -> None:
        await zoho.put()
        await zoho.put()
        await zoho.look()
        await zoho.delete()
        await zoho.post()
        await zoho.call("GET", "/crm/v8/org")
        zoho.authorization = ""
        state = (await zoho.call("GET", "/simulator/state")).content
        assert state["url"] == zoho.simulator.url
        assert state["locks"] == 1
        assert state["calls"] == {
            "put": 2,
            "get": 1,
            "post": 1,
            "delete": 1,
            "other": 1,
            "token": 1,
        }
        assert state["updates"] == 2
        assert state["throttled"] == 0
        assert state["answers"] == {"200": 5, "201": 1}
        assert (state["in_flight"], state["in_flight_peak"]) == (0, 1)
        assert (state["credits_used"], state["credits_left"]) == (6, None)
        assert state["first_call"] <= state["last_call"]
        locks = (await zoho.call("GET", "/simulator/locks")).content
        assert locks.keys() == {KEY}
        assert locks[KEY]["reason"] == "again"

    rehearse(script)


def test_a_row_done_twice_shows_in_its_locks() -> None:
    async def script(zoho: LockApi) -> None:
        await zoho.put(reason="one")
        await zoho.put(reason="two")
        locks = (await zoho.call("GET", "/simulator/locks")).content
        assert locks == {KEY: {"lock_id": LOCK, "reason": "two", "updates": 2}}

    rehearse(script)


def test_a_fresh_stand_in_has_seen_nothing() -> None:
    async def script(zoho: LockApi) -> None:
        state = (await zoho.call("GET", "/simulator/state")).content
        assert (state["first_call"], state["last_call"]) == (None, None)
        assert (await zoho.call("GET", "/simulator/locks")).content == {}

    rehearse(script)


def test_arrivals_are_told_with_the_throttled_ones_marked() -> None:
    clock = Clock()

    async def script(zoho: LockApi) -> None:
        for _ in range(3):
            clock.now += 1
            await zoho.put()
        got = (await zoho.call("GET", "/simulator/calls?kind=put")).content
        assert got["kind"] == "put"
        assert got["arrivals"] == [1.0, 2.0, 3.0]
        assert got["throttled"] == [0, 0, 1]
        assert (await zoho.call("GET", "/simulator/calls?kind=get")).content["arrivals"] == []

    rehearse(script, Behaviour(credits=2), clock=clock)


@pytest.mark.parametrize(("path", "status"), [("calls?kind=all", 400), ("", 404), ("more", 404)])
def test_what_it_cannot_show_is_said(path: str, status: int) -> None:
    async def script(zoho: LockApi) -> None:
        got = await zoho.call("GET", f"/simulator/{path}")
        assert got.status == status
        assert "error" in got.content

    rehearse(script)


def test_a_port_that_is_taken_is_an_error() -> None:
    async def script(zoho: LockApi) -> None:
        port = int(zoho.simulator.url.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)):
            async with serving(port=port):
                pass

    rehearse(script)


# The documentation


def test_the_documentation_shows_every_magic_record() -> None:
    shown = re.findall(r"^\| `(99\d+)` (\|.*\|)$", DOCS.read_text("utf-8"), re.MULTILINE)
    expected = []
    for magic in MAGIC_RECORDS:
        status = str(magic.answer.status) if magic.answer else "-"
        code = f"`{magic.answer.code}`" if magic.answer and magic.answer.code else "-"
        cells = (magic.calls_shown, status, code, magic.meaning)
        expected.append((magic.record_id, f"| {' | '.join(cells)} |"))
    assert shown == expected


def test_the_documentation_shows_every_magic_module() -> None:
    text = DOCS.read_text("utf-8")
    shown = text.partition("### Modules")[2].partition("###")[0]
    assert [line for line in shown.splitlines() if line.startswith("| `")] == [
        f"| `{magic.name}` | {magic.does.status} | `{magic.does.code}` | {magic.meaning} |"
        for magic in MAGIC_MODULES
    ]


def test_the_documentation_shows_every_magic_sign_in() -> None:
    expected = []
    for magic in MAGIC_SIGN_INS:
        answer, to_calls = "-", "-"
        if magic.answer:
            answer = f"`{magic.answer.code}`" if magic.answer.code else str(magic.answer.status)
        if magic.to_calls:
            to_calls = f"{magic.to_calls.status} `{magic.to_calls.code}`"
        cells = (f"`{magic.field}`", f"`{magic.value}`", answer, to_calls, magic.meaning)
        expected.append(f"| {' | '.join(cells)} |")
    text = DOCS.read_text("utf-8").partition("### Sign-in")[2].partition("## ")[0]
    assert [line for line in text.splitlines() if line.startswith("| `")] == expected


def test_the_documentation_shows_every_fault_and_field() -> None:
    text = DOCS.read_text("utf-8").partition("## What it can be asked for")[2]
    section = text.partition("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert shown == [*Behaviour.__dataclass_fields__, *Fault]


def test_magic_record_ids_are_told_apart_and_well_formed() -> None:
    ids = [magic.record_id for magic in MAGIC_RECORDS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"99000000000000\d{4}", id_) for id_ in ids)
