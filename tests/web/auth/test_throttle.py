"""Who must wait after wrong passwords, and how many hashes wait at a time."""

import asyncio
import threading

import pytest

from batchlock.web.auth.hashing import HashQueue, HashQueueFullError
from batchlock.web.auth.throttle import LoginThrottle

HOUR_SECONDS = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def waits(throttle: LoginThrottle, count: int, name: str, address: str) -> list[float]:
    """Enter wrong passwords; return how long to wait after each."""
    seconds = []
    for _ in range(count):
        throttle.record_failure(name, address)
        seconds.append(throttle.wait_seconds(name, address))
    return seconds


def test_the_wait_doubles_up_to_a_limit() -> None:
    throttle = LoginThrottle(Clock())
    seconds = waits(throttle, 20, "x", "10.0.0.1")
    assert seconds[:7] == [0, 0, 0, 0, 1, 2, 4]
    assert max(seconds) == 900
    throttle.record_success("x", "10.0.0.1")
    assert throttle.wait_seconds("x", "10.0.0.1") == 0


def test_wrong_passwords_from_elsewhere_keep_nobody_out() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(50):
        waits(throttle, 10, "anna", f"10.0.1.{number}")
    assert throttle.wait_seconds("anna", "10.0.2.1") == 0


def test_many_names_from_one_address_must_wait() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(21):
        throttle.record_failure(f"nobody {number}", "10.0.0.1")
    assert throttle.wait_seconds("anna", "10.0.0.1") == 2
    assert throttle.wait_seconds("anna", "10.0.0.2") == 0


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("", "", True),
    ],
)
def test_the_addresses_of_one_network_count_together(
    first: str, second: str, *, is_one: bool
) -> None:
    throttle = LoginThrottle(Clock())
    waits(throttle, 6, "anna", first)
    assert (throttle.wait_seconds("anna", second) > 0) == is_one


def test_wrong_passwords_are_forgotten_with_time() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    waits(throttle, 16, "anna", "10.0.0.1")
    clock.now += 24 * HOUR_SECONDS
    assert waits(throttle, 4, "anna", "10.0.0.1")[-1] <= 1


def test_waiting_between_the_attempts_does_not_avoid_the_longest_wait() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    for _ in range(100):
        throttle.record_failure("anna", "10.0.0.1")
        clock.now += max(1.0, throttle.wait_seconds("anna", "10.0.0.1"))
    assert waits(throttle, 1, "anna", "10.0.0.1") == [900]


def test_the_people_of_an_office_do_not_lock_each_other_out() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(100):
        assert throttle.wait_seconds(f"person {number}", "10.0.0.1") == 0
        throttle.record_failure(f"person {number}", "10.0.0.1")
        throttle.record_success(f"person {number}", "10.0.0.1")


def test_an_own_password_does_not_reset_the_address() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(30):
        throttle.record_failure(f"nobody {number}", "10.0.0.1")
    throttle.record_failure("mallory", "10.0.0.1")
    throttle.record_success("mallory", "10.0.0.1")
    throttle.record_failure("anna", "10.0.0.1")
    assert throttle.wait_seconds("anna", "10.0.0.1") == 900


async def _junk_leaves_room() -> None:
    queue, gate = HashQueue(), threading.Event()
    try:
        junk = [asyncio.create_task(queue.run("10.0.0.1", gate.wait)) for _ in range(60)]
        await asyncio.sleep(0)
        refused = [task for task in junk if task.done()]
        assert len(refused) == 57
        assert all(isinstance(task.exception(), HashQueueFullError) for task in refused)
        assert queue.is_full_for("10.0.0.1")
        right = asyncio.create_task(queue.run("10.0.0.2", lambda: "right"))
    finally:
        gate.set()
    assert await right == "right"
    await asyncio.gather(*junk, return_exceptions=True)
    assert not queue.is_full_for("10.0.0.1")


def test_junk_from_one_address_leaves_room_for_others() -> None:
    asyncio.run(_junk_leaves_room())


async def _whoever_leaves_keeps_a_place() -> None:
    queue, gate = HashQueue(), threading.Event()
    try:
        tasks = [asyncio.create_task(queue.run("10.0.0.1", gate.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(HashQueueFullError):
            await queue.run("10.0.0.1", gate.wait)
    finally:
        gate.set()
    for number in range(12):
        assert await queue.run(f"10.0.1.{number}", lambda: 1) == 1


def test_whoever_leaves_keeps_a_place_in_the_queue() -> None:
    asyncio.run(_whoever_leaves_keeps_a_place())


async def _the_queue_has_an_end() -> None:
    queue, gate = HashQueue(), threading.Event()
    try:
        tasks = [
            asyncio.create_task(queue.run(f"10.0.0.{number}", gate.wait)) for number in range(40)
        ]
        await asyncio.sleep(0)
        assert sum(task.done() for task in tasks) == 28
    finally:
        gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_the_queue_has_an_end() -> None:
    asyncio.run(_the_queue_has_an_end())
