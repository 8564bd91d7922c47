"""Pages of the documentation site that are not files of docs/: a hook of properdocs.

README.md, CONTRIBUTING.md and others become pages of the site. Two pages are made from the code:
commands.md from the texts of `--help`, and settings.md from config.example.yaml and the types of
the settings. Links are written as in the repository, and are changed to those of the site here. A
file that a page links to, such as one of deploy/, is copied to the site.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(Path(__file__).parent))  # properdocs loads a hook by its path

# After the path, since the folder is no package.
from reference_pages import commands_page, settings_page  # noqa: E402

# Files of the repository that are pages, by their paths there.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "config.example.yaml": "settings.md",
}
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
_LIST_ITEM = re.compile(r"\d+\. ")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not in docs/, and the files to which pages link."""
    from properdocs.structure.files import File

    contents = {
        page: (ROOT / source).read_text("utf-8")
        for source, page in PAGES.items()
        if source.endswith(".md")
    }
    contents |= {"commands.md": commands_page(), "settings.md": settings_page()}
    for name, text in contents.items():
        files.append(File.generated(config, name, content=text))
    pages = [file for file in files if file.src_uri.endswith(".md")]
    linked = {path for file in pages for path in _linked_files(file.src_uri, file.content_string)}
    for path in sorted(linked):
        content = (ROOT / path).read_bytes()
        files.append(File.generated(config, f"files/{path}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the text of a page with the links of the site."""
    source = page.file.src_uri
    text = _LINK.sub(lambda match: _site_path(source, match[1]), markdown)
    return "\n".join(_indented(text.split("\n")))


def _indented(lines: list[str]) -> Iterator[str]:
    """Yield lines with what belongs to the items of numbered lists one space further in.

    Python-Markdown wants four spaces where GitHub takes three.
    """
    in_list = False
    for line in lines:
        if line.strip():
            in_list = bool(_LIST_ITEM.match(line)) or (in_list and line.startswith("   "))
        yield f" {line}" if in_list and line.startswith("   ") else line


def _repository_path(page: str, link: str) -> str:
    """Return the path in the repository to which a page of the site links."""
    source = {site: path for path, site in PAGES.items()}.get(page, f"docs/{page}")
    return os.path.normpath(Path(source).parent / link).replace(os.sep, "/")


def _site_path(page: str, link: str) -> str:
    path = _repository_path(page, link)
    if _is_page(path, page):
        return PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    # What does not exist stays as it is, and the strict build reports it.
    return f"files/{path}" if (ROOT / path).is_file() else link


def _linked_files(page: str, text: str) -> Iterator[str]:
    for match in _LINK.finditer(text):
        path = _repository_path(page, match[1])
        if not (_is_page(path, page) or path.startswith("docs/")) and (ROOT / path).is_file():
            yield path


def _is_page(path: str, page: str) -> bool:
    """Return whether a file is another page; the page of a file links to the file itself."""
    return PAGES.get(path, page) != page
