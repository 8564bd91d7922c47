"""Requests in threads, one session each, over csv.reader: FILE RESULTS URL WORKERS."""

import csv
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests


def main(file: str, results: str, url: str, workers: int) -> None:
    """Read all, send all, write all."""
    local = threading.local()
    token = requests.post(f"{url}/oauth/v2/token", data={"x": "y"}, timeout=60).json()

    def update(row: list[str]) -> list[object]:
        # requests does not promise that threads can share a session.
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers["Authorization"] = f"Zoho-oauthtoken {token['access_token']}"
        module, record, lock, reason = row
        path = f"/crm/v7/{module}/{record}/Locking_Information__s/{lock}"
        body = {"data": [{"Locked_Reason__s": reason}]}
        answer = local.session.put(url + path, json=body, timeout=60)
        item = answer.json()["data"][0]
        return [*row, item["status"], answer.status_code, item["code"], item["message"]]

    with Path(file).open(newline="") as source, Path(results).open("w", newline="") as target:
        rows, write = csv.reader(source), csv.writer(target).writerow
        write([*next(rows), "Result", "HTTP status", "Code", "Message"])
        with ThreadPoolExecutor(workers) as pool:
            for done in pool.map(update, rows):
                write(done)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
