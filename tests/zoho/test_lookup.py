import asyncio

import orjson
import pytest
from support.http_server import answer_with, close_after, http_response, raw_server
from support.zoho_calls import (
    LOCK,
    NO_LOCK_ID,
    RECORD,
    UPDATE,
    envelope,
    find,
    find_against,
    success,
)

from batchlock.core.reply import Lock, Reply, Verdict
from batchlock.core.rows import Update


def item(lock_id: object = LOCK, **changed: object) -> dict[str, object]:
    return {
        "id": lock_id,
        "Locked_For__s": {"id": RECORD, "name": "Ms Lead", "module": {"api_name": "Leads"}},
        "Locked_Reason__s": "audited",
    } | changed


LOCKS = [
    (UPDATE, [item()], Lock(LOCK, "audited", record_name="Ms Lead")),
    (NO_LOCK_ID, [item(), item("6")], Lock(LOCK, "audited", record_name="Ms Lead")),
    (NO_LOCK_ID, [item(Locked_Reason__s=None)], Lock(LOCK, None, record_name="Ms Lead")),
    (NO_LOCK_ID, [{"id": LOCK}], Lock(LOCK, None)),
    (NO_LOCK_ID, [], None),
]


@pytest.mark.parametrize(("update", "data", "lock"), LOCKS)
def test_a_look_up_returns_the_lock(
    update: Update, data: list[dict[str, object]], lock: Lock | None
) -> None:
    answer = http_response(200, orjson.dumps({"data": data, "info": {"count": 1}}))
    reply, _ = find_against(answer, update)
    assert (reply.verdict, reply.lock) == (Verdict.ACCEPTED, lock)


@pytest.mark.parametrize("update", [UPDATE, NO_LOCK_ID])
def test_a_look_up_requests_one_lock_or_the_locks_of_the_record(update: Update) -> None:
    reply, requests = find_against(http_response(204, b"", "X-API-CREDITS-REMAINING: 5"), update)
    lock_path = f"/{LOCK}" if update.lock_id else ""
    target = f"/crm/v7/Leads/{RECORD}/Locking_Information__s{lock_path}"
    assert requests[0].startswith(f"GET {target}?fields=Locked_For__s,Locked_Reason__s,".encode())
    assert reply == Reply(verdict=Verdict.ACCEPTED, http_status=204, credits_remaining=5)


@pytest.mark.parametrize(
    ("status", "body", "verdict", "message"),
    [
        (200, {"data": [item("6")]}, "lost", "another lock (6)"),
        (200, {"data": [item(Locked_For__s={"id": "7"})]}, "lost", "another record (7)"),
        (200, {"data": [item(12)]}, "lost", "Something other"),
        (200, {"data": [item("12/../3")]}, "lost", "Something other"),
        (200, {"data": ["odd"]}, "lost", "Something other"),
        (200, {"data": "odd"}, "lost", "Something other"),
        (200, [], "lost", "Something other"),
        (200, success(), "lost", "Something other"),
        (302, {"data": [item()]}, "lost", "another address"),
        (400, envelope("INVALID_DATA", resource_path_index=1), "refused", "message of Zoho"),
        (401, envelope("OAUTH_SCOPE_MISMATCH"), "denied", "message of Zoho"),
        (429, {"data": [item()]}, "throttled", "429"),
        (500, {"data": [item()]}, "broken", "500"),
    ],
)
def test_a_look_up_with_a_doubtful_answer_returns_no_lock(
    status: int, body: object, verdict: str, message: str
) -> None:
    reply, _ = find_against(http_response(status, orjson.dumps(body)), UPDATE)
    assert (reply.verdict, reply.lock) == (Verdict(verdict), None)
    assert message in reply.message


def test_a_look_up_can_be_lost_or_expired() -> None:
    async def main() -> tuple[Reply, Reply]:
        expired_body = http_response(401, orjson.dumps(envelope("INVALID_TOKEN")))
        async with (
            raw_server(close_after()) as silent,
            raw_server(answer_with(expired_body)) as rejecting,
        ):
            return await find(silent.url, UPDATE), await find(rejecting.url, UPDATE)

    lost, expired = asyncio.run(main())
    assert (lost.verdict, expired.verdict) == (Verdict.LOST, Verdict.EXPIRED)
