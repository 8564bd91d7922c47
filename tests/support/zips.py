"""Take zipped workbooks apart and write them again with changes."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path


def zip_parts(path: Path) -> dict[str, bytes]:
    """Return the content of every entry by its name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(
    path: Path, parts: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def rewrite_zip(path: Path, **changes: Callable[[bytes], bytes]) -> Path:
    """Change the entries whose names end with a keyword and `.xml` or `.xml.rels`."""
    parts = zip_parts(path)
    for name in parts:
        for end, change in changes.items():
            if name.endswith((f"{end}.xml", f"{end}.xml.rels")):
                parts[name] = change(parts[name])
    return write_zip(path, parts)
