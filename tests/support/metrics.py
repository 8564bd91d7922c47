"""What an address with health and figures answers."""

import urllib.error
import urllib.request


def get(port: int | None, path: str) -> tuple[int, str]:
    """Return status and text of an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def figures(text: str) -> dict[str, float]:
    """Return the figures of batchlock by name and labels."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("batchlock_"))
    return {name: float(value) for name, value in lines}
