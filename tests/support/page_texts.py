"""Translations for tests, and the texts of a page that were not translated."""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.pofile import read_po, write_po

from support.paths import ROOT

TEXTS = ROOT / "batchlock" / "web" / "locale" / "page.pot"
PSEUDO = "eo"
"""The code of the language whose texts are the English ones between two marks."""
_BEGIN, _END = "⟦", "⟧"
_LETTER = re.compile(r"[^\W\d_]")
# Elements without an end.
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
# What people write in a language of their own, times that the script writes again, and code.
_NO_TEXT = frozenset({"code", "script", "style", "time", "q"})
_ATTRIBUTES = frozenset({"alt", "aria-label", "label", "placeholder", "title"})
# What the stylesheet and the script show.
_DATA_ATTRIBUTES = frozenset(
    f"data-{name}" for name in ("confirm", "ended", "label", "lost", "paused", "refused", "strong")
)
_PRODUCT = "batchlock"


def write_pseudo_language(folder: Path) -> None:
    """Write the translation of all texts into PSEUDO, with their values and elements."""
    with TEXTS.open("rb") as file:
        catalog = read_po(file, locale=PSEUDO)
    for message in catalog:
        if isinstance(message.id, tuple):
            message.string = tuple(f"{_BEGIN}{text}{_END}" for text in message.id)
        elif message.id:
            message.string = f"{_BEGIN}{message.id}{_END}"
    with (folder / f"{PSEUDO}.po").open("wb") as file:
        write_po(file, catalog)


def write_translation(
    folder: Path, language: str, texts: Mapping[str | tuple[str, str], str | tuple[str, str]]
) -> None:
    """Write a translation of a few texts; one with a plural form is a pair, as its key is."""
    with TEXTS.open("rb") as file:
        catalog = read_po(file, locale=language)
    for text, translation in texts.items():
        message = catalog[text]
        assert message is not None, text
        message.string = translation
    with (folder / f"{language}.po").open("wb") as file:
        write_po(file, catalog)


def untranslated(html: str) -> list[str]:
    """Return the texts with letters on a page in PSEUDO that are in no translation.

    Exempt are data (in an element with `translate="no"`), messages that the command line shares (in
    one with `lang="en"`), titles and attributes
    that repeat either, and the name of the product at the end of a text.
    """
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return [f"{within}: {text}" for within, text in parser.texts if text not in parser.exempt_texts]


class _Parser(HTMLParser):
    """Collects the texts outside of the marks."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []
        """Each with the elements that it stands in."""
        self.exempt_texts: set[str] = set()
        self._open: list[tuple[str, bool]] = []
        """The open elements, and whether their texts are data."""
        self._depth = 0
        """Inside of how many translated texts the parser is."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        is_exempt = values.get("translate") == "no" or values.get("lang") == "en"
        is_data = self._is_data or is_exempt or tag in _NO_TEXT
        if not self._is_data:
            names = [name for name in _ATTRIBUTES | _DATA_ATTRIBUTES if name in values]
            if tag == "input" and values.get("type") in ("submit", "button"):
                names.append("value")
            for name in names:
                for text, _ in _outside(values[name], 0):
                    self._add(text, f"{tag} {name}")
        if tag not in _VOID:
            self._open.append((tag, is_data))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for text, depth in _outside(data, self._depth):
            self._depth = depth
            if self._is_data:
                self.exempt_texts.add(" ".join(text.split()))
            else:
                self._add(text, "/".join(tag for tag, _ in self._open[-3:]))

    @property
    def _is_data(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _add(self, text: str, within: str) -> None:
        words = " ".join(text.split()).removesuffix(_PRODUCT).removesuffix(" · ")
        if _LETTER.search(words):
            self.texts.append((within, words))


def _outside(text: str, depth: int) -> Iterator[tuple[str, int]]:
    """Yield the parts of a text outside of the marks, each with the depth after it.

    `depth` is that before the text. The last part is yielded in any case.
    """
    outside = ""
    for part in re.split(f"([{_BEGIN}{_END}])", text):
        if part == _BEGIN:
            depth += 1
        elif part == _END:
            depth -= 1
        elif not depth:
            outside += f" {part}"
    yield outside, depth
