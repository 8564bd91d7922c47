"""The script that most people would write: FILE RESULTS URL WORKERS."""

import asyncio
import sys
from typing import Any

import aiohttp
import pandas as pd
from tqdm.asyncio import tqdm


async def update(
    session: aiohttp.ClientSession, semaphore: asyncio.Semaphore, url: str, row: dict[Any, Any]
) -> dict[Any, Any]:
    """Send one row."""
    path = f"{row['Module']}/{row['Record Id']}/Locking_Information__s/{row['Lock Id']}"
    body = {"data": [{"Locked_Reason__s": row["Reason"]}]}
    async with semaphore, session.put(f"{url}/crm/v7/{path}", json=body) as response:
        answer = await response.json()
        item = answer["data"][0]
        return {
            **row,
            "Result": item["status"],
            "HTTP status": response.status,
            "Code": item["code"],
            "Message": item["message"],
        }


async def main(file: str, results: str, url: str, workers: int) -> None:
    """Read all, send all, write all."""
    # As text: ids of 19 digits would be rounded as floats.
    table = pd.read_excel(file, dtype=str)
    semaphore = asyncio.Semaphore(workers)
    async with aiohttp.ClientSession() as session:
        form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "x"}
        async with session.post(f"{url}/oauth/v2/token", data=form) as response:
            token = (await response.json())["access_token"]
        session.headers["Authorization"] = f"Zoho-oauthtoken {token}"
        tasks = [update(session, semaphore, url, row) for row in table.to_dict("records")]
        done = await tqdm.gather(*tasks)
    pd.DataFrame(done).to_excel(results, index=False, engine="openpyxl")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
