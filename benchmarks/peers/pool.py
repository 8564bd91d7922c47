"""A bare pool of aiohttp workers over csv.reader: FILE RESULTS URL WORKERS [fast].

It does not retry, has no journal and checks only the status. `fast` uses uvloop and orjson.
"""

import asyncio
import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

Dumps = Callable[[Any], bytes]
Loads = Callable[[bytes], Any]


async def main(
    file: str, results: str, url: str, workers: int, *, dumps: Dumps, loads: Loads
) -> None:
    """Read, send and write row by row."""
    # Waiting for a local file costs less than a thread for it would.
    with Path(file).open(newline="") as source, Path(results).open("w", newline="") as target:  # noqa: ASYNC230  see above
        rows, write = csv.reader(source), csv.writer(target).writerow
        write([*next(rows), "Result", "HTTP status", "Code", "Message"])
        connector = aiohttp.TCPConnector(limit=workers)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.post(f"{url}/oauth/v2/token", data={"x": "y"}) as response:
                token = (await response.json())["access_token"]
            headers = {
                "Authorization": f"Zoho-oauthtoken {token}",
                "Content-Type": "application/json",
            }

            async def work() -> None:
                for row in rows:
                    module, record, lock, reason = row
                    path = f"/crm/v7/{module}/{record}/Locking_Information__s/{lock}"
                    body = dumps({"data": [{"Locked_Reason__s": reason}]})
                    async with session.put(url + path, data=body, headers=headers) as response:
                        item = loads(await response.read())["data"][0]
                    write([*row, item["status"], response.status, item["code"], item["message"]])

            await asyncio.gather(*(work() for _ in range(workers)))


if __name__ == "__main__":
    arguments = (sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
    if sys.argv[5:] == ["fast"]:
        import orjson
        import uvloop

        uvloop.run(main(*arguments, dumps=orjson.dumps, loads=orjson.loads))
    else:
        asyncio.run(
            main(*arguments, dumps=lambda value: json.dumps(value).encode(), loads=json.loads)
        )
