"""Settings of `batchlock worker`."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import AfterValidator

_MAX_PORT = 65_535


def host_and_port(text: str) -> tuple[str, int]:
    """Return the parts of an address to listen on: `127.0.0.1:9100`, `[::]:9100`.

    Raises ValueError for any other text.
    """
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise ValueError("an address to listen on is HOST:PORT, such as 127.0.0.1:9100")
    return host, int(port)


def _address(text: str) -> str:
    host_and_port(text)
    return text


ListenAddress = Annotated[str, AfterValidator(_address)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How a worker serves orgs. Times are in seconds."""

    orgs_at_once: Annotated[int, Ge(1), Le(10_000)] = 100
    # A worker renews its leases three times in this time. The runs of a worker that was killed are
    # taken over by another one when it is over.
    lease: Annotated[float, Ge(3), Le(3600)] = 15.0
    listen: ListenAddress | None = None
