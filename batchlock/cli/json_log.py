"""Log lines as JSON: one object a line, for programs that collect logs.

Keys of every line: `time` (UTC, ISO 8601), `level`, `event`, `message`, `org`, `run_id`, `process`
and `logger`. A line about a row has `row` (its number), `result` and `code` too. Ids and reasons of
records are in no line.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from batchlock.core.log_context import log_context
from batchlock.core.redaction import without_ids

# The keys that some events have: attributes of the record, by `extra`.
_FIELDS = ("row", "result", "code", "attempts", "exit_code")


class JsonFormatter(logging.Formatter):
    """Format records as JSON objects, in ASCII, so that no text can look like another line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object of a record."""
        context = log_context()
        value: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            "message": without_ids(getattr(record, "safe_text", None) or record.getMessage()),
            "org": context.org,
            "run_id": context.run_id,
            "process": record.process,
            "logger": record.name,
        }
        value |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            value["exception"] = without_ids(self.formatException(record.exc_info))
        return json.dumps(value)


def json_line(message: str, *, level: str, event: str, exit_code: int | None = None) -> str:
    """Return the line of an event that is not logged, such as the error that ends a command."""
    record = logging.makeLogRecord(
        {"msg": message, "levelname": level.upper(), "name": "batchlock", "event": event}
    )
    if exit_code is not None:
        record.exit_code = exit_code
    return JsonFormatter().format(record)
