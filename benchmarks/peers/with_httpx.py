"""A pool of httpx workers over csv.reader: FILE RESULTS URL WORKERS."""

import asyncio
import csv
import sys
from pathlib import Path

import httpx


async def main(file: str, results: str, url: str, workers: int) -> None:
    """Read, send and write row by row."""
    # Waiting for a local file costs less than a thread for it would.
    with Path(file).open(newline="") as source, Path(results).open("w", newline="") as target:  # noqa: ASYNC230  see above
        rows, write = csv.reader(source), csv.writer(target).writerow
        write([*next(rows), "Result", "HTTP status", "Code", "Message"])
        limits = httpx.Limits(max_connections=workers, max_keepalive_connections=workers)
        async with httpx.AsyncClient(limits=limits, base_url=url) as client:
            answer = await client.post("/oauth/v2/token", data={"x": "y"})
            client.headers["Authorization"] = f"Zoho-oauthtoken {answer.json()['access_token']}"

            async def work() -> None:
                for row in rows:
                    module, record, lock, reason = row
                    path = f"/crm/v7/{module}/{record}/Locking_Information__s/{lock}"
                    body = {"data": [{"Locked_Reason__s": reason}]}
                    answer = await client.put(path, json=body)
                    item = answer.json()["data"][0]
                    write([*row, item["status"], answer.status_code, item["code"], item["message"]])

            await asyncio.gather(*(work() for _ in range(workers)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
