import asyncio
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from support.token_endpoint import (
    Time,
    after,
    at_once,
    formatted,
    grant,
    of,
    request_once,
    token_endpoint,
    tokens_at,
    tokens_of_processes,
)

from batchlock.core.errors import UsageError


def test_the_token_outlives_its_process_until_a_minute_before_its_end(path: Path) -> None:
    values = tokens_of_processes(path, at_once, after(3600 - 61), after(1))
    assert values == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize(
    "other",
    [
        {"client_id": "1000.OTHER"},
        {"refresh_token": SecretStr("1000.other.token")},
        {"environment": "sandbox"},
    ],
)
def test_the_token_of_another_account_is_neither_used_nor_lost(
    path: Path, other: dict[str, Any]
) -> None:
    assert tokens_of_processes(path, at_once, of(**other), at_once, of(**other)) == [
        "token-1",
        "token-2",
        "token-1",
        "token-2",
    ]


def test_expired_tokens_are_removed_from_the_file(path: Path) -> None:
    tokens_of_processes(path, at_once, after(4000), of(environment="sandbox"))
    assert b"token-1" not in path.read_bytes()
    assert len(orjson.loads(path.read_bytes())) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"a": 1, "b": {"access_token": 5, "use_until": 1.0}}',
        b'{"a": {"access_token": "x\\ny", "use_until": 9e99}}',
        b"\xff" * 100_000,
    ],
)
def test_a_file_of_others_is_replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert tokens_of_processes(path, at_once, at_once) == ["token-1", "token-1"]
    assert len(orjson.loads(path.read_bytes())) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"access_token": "x\ny", "use_until": 9e99},
        {"access_token": None, "use_until": 9e99},
        {"access_token": "old", "use_until": "tomorrow"},
        {"access_token": "old"},
        "old",
    ],
)
def test_a_damaged_entry_of_the_file_is_not_used(path: Path, entry: object) -> None:
    def change(_: Time) -> Mapping[str, Any]:
        (oauth_client,) = orjson.loads(path.read_bytes())
        path.write_bytes(orjson.dumps({oauth_client: entry}))
        return {}

    assert tokens_of_processes(path, at_once, change, at_once) == ["token-1", "token-2", "token-2"]


def test_files_of_a_killed_process_do_no_harm(path: Path) -> None:
    path.parent.mkdir()
    for suffix in (".lock", ".new"):
        path.with_name(path.name + suffix).write_bytes(b"{half")
    assert tokens_of_processes(path, at_once, at_once) == ["token-1", "token-1"]
    assert not path.with_name(path.name + ".new").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_only_the_owner_can_read_the_files(path: Path) -> None:
    old = os.umask(0)
    try:
        request_once(grant(), path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert modes == {"token.json": 0o600, "token.json.lock": 0o600}


def test_a_bad_folder_is_reported_before_any_request(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()

    async def main() -> int:
        async with token_endpoint(grant()) as endpoint:
            async with tokens_at(endpoint, blocked / "token.json") as tokens:
                with pytest.raises(UsageError, match="state_directory"):
                    await tokens.token()
            return len(endpoint.forms)

    assert asyncio.run(main()) == 0


def test_a_file_that_cannot_be_replaced_is_reported(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(UsageError, match="the access token cannot be kept there") as raised:
        request_once(grant(), path)
    assert str(path) in str(raised.value)
    assert "token-1" not in formatted(raised.value)
