"""Zoho's official SDK in threads, over csv.reader: FILE RESULTS URL WORKERS."""

# The library comes without types.
# mypy: disable-error-code="import-untyped"

import csv
import logging
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.api.logger import Logger
from zohocrmsdk.src.com.zoho.crm.api import Initializer
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.record_locking import (
    BodyWrapper,
    LockRecord,
    RecordLockingOperations,
)


def main(file: str, results: str, url: str, workers: int) -> None:
    """Read all, send all, write all."""
    folder = tempfile.mkdtemp()
    Initializer.initialize(
        environment=DataCenter.Environment(url, f"{url}/oauth/v2/token", url),
        token=OAuthToken(access_token="benchmark", find_user=False),  # noqa: S106  no secret
        store=FileStore(f"{folder}/tokens"),
        logger=Logger.get_instance(level=Logger.Levels.ERROR, file_path=f"{folder}/log"),
        resource_path=folder,
    )
    logging.disable()

    def update(row: list[str]) -> list[object]:
        module, record, lock, reason = row
        change = LockRecord()
        change.set_locked_reason__s(reason)
        body = BodyWrapper()
        body.set_data([change])
        calls = RecordLockingOperations(int(record), module)
        answer = calls.update_record_locking_information(int(lock), body)
        item = answer.get_object().get_data()[0]
        code, message = item.get_code().get_value(), item.get_message()
        return [*row, item.get_status().get_value(), answer.get_status_code(), code, message]

    with Path(file).open(newline="") as source, Path(results).open("w", newline="") as target:
        rows, write = csv.reader(source), csv.writer(target).writerow
        write([*next(rows), "Result", "HTTP status", "Code", "Message"])
        with ThreadPoolExecutor(workers) as pool:
            for done in pool.map(update, rows):
                write(done)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
