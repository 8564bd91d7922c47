"""The event loop that runs are driven by: uvloop where it exists."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop; None for that of asyncio."""
    try:
        import uvloop  # not available on Windows and PyPy
    except ImportError:
        return None
    return uvloop.new_event_loop
