"""Read the texts of an .xlsx: shared strings, and texts in the cells themselves.

A text is plain (`<t>`) or in runs of one format each (`<r><t>`); `<rPh>` tells how it is pronounced
and is no part of it (ECMA-376 part 1, 18.4).
"""

import re
from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

# Excel allows 32,767 characters in a cell: 8 bytes for each. The longest usual form of a character
# is an escape such as _x000D_ with 7 bytes.
MAX_CELL_BYTES = 256 << 10

# A character as its number in UTF-16 (ECMA-376 part 1, 22.4.2.4); half a pair is none.
_ESCAPE = re.compile(r"_x((?!D[89A-F])[0-9A-F]{4})_", re.IGNORECASE)

# The element for what other programs add; their own elements are taken for it.
_EXTENSION = "extLst"

_XML_SPACE = "http://www.w3.org/XML/1998/namespace}space"
# What XML calls white space. A no-break space is none, and stays.
_SPACE = " \t\r\n"


class CellTooLong(ValueError):
    """A text has more characters than a cell can hold."""


class TextParser:
    """Parse a part in XML, and put the texts in it together.

    A subclass handles the elements in `started` and `ended`; names come without their namespace.
    """

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator="}")
        # One call for each text, instead of one for each line and entity.
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._depth = 0
        # The namespace of the root, and the depth of an element that is left out with all in it.
        self._namespace: str | None = None
        self._skipped_depth = 0
        # The names of elements, with and without their namespace.
        self._names: dict[str, str] = {}
        # xml:space holds for an element and all in it: its depth, and whether it says "preserve".
        self._spaces: list[tuple[int, bool]] = [(0, False)]
        # The depth of <rPh>, whose texts are left out.
        self._phonetic_depth = 0
        # Whether the text or the run has its <t>.
        self._has_text = False
        self._characters: list[str] = []
        self._length = 0
        self._runs: list[str] = []

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Parse a piece; raises expat.ExpatError, and ValueError for what has no meaning."""
        self._parser.Parse(piece, last)

    def started(self, name: str, attributes: Mapping[str, str], /) -> None:
        """Handle a start tag."""

    def ended(self, name: str) -> None:
        """Handle an end tag."""

    def collect(self) -> None:
        """Collect the characters from here on."""
        self._characters.clear()
        self._length = 0
        self._parser.CharacterDataHandler = self._add

    def collected(self) -> str:
        """Return the characters since `collect`."""
        self._parser.CharacterDataHandler = None
        return "".join(self._characters)

    def begin_text(self) -> None:
        """Begin a text that consists of the `<t>` that follow."""
        self._runs.clear()
        self._has_text = False

    def text(self) -> str:
        """Return the text since `begin_text`."""
        return "".join(self._runs)

    def _start(self, name: str, attributes: Mapping[str, Any]) -> None:
        self._depth += 1
        local_name = self._names.get(name)
        if local_name is None:
            local_name = self._names[name] = self._name_of(name)
        if self._skipped_depth or local_name == _EXTENSION:
            self._skipped_depth = self._skipped_depth or self._depth
            return
        if _XML_SPACE in attributes:
            self._spaces.append((self._depth, attributes[_XML_SPACE] == "preserve"))
        if local_name == "t":
            self.collect()
        elif local_name == "r":
            self._has_text = False
        elif local_name == "rPh":
            self._phonetic_depth = self._phonetic_depth or self._depth
        else:
            self.started(local_name, attributes)

    def _end(self, name: str) -> None:
        local_name = self._names[name]
        if self._skipped_depth:
            self._skipped_depth *= self._skipped_depth != self._depth
            self._depth -= 1
            return
        if local_name == "t":
            text = self.collected()
            # Excel drops white space around a text that nothing says to preserve.
            text = text if self._spaces[-1][1] else text.strip(_SPACE)
            if not self._phonetic_depth:
                if self._has_text:
                    raise ValueError("two texts in the place of one")
                self._has_text = True
                self._runs.append(_ESCAPE.sub(_unescaped, text) if "_x" in text else text)
        elif local_name == "r":
            self._has_text = False
        elif local_name == "rPh":
            self._phonetic_depth = self._phonetic_depth * (self._phonetic_depth != self._depth)
        else:
            self.ended(local_name)
        if self._spaces[-1][0] == self._depth:
            self._spaces.pop()
        self._depth -= 1

    def _name_of(self, name: str) -> str:
        """Return a name without its namespace, _EXTENSION for one of another namespace."""
        namespace, _, local_name = name.rpartition("}")
        if self._namespace is None:
            self._namespace = namespace
        if namespace == self._namespace:
            return local_name
        if local_name == "AlternateContent":
            raise ValueError("rows that programs choose between")
        return _EXTENSION

    def _add(self, characters: str) -> None:
        self._length += len(characters)
        if self._length > MAX_CELL_BYTES:
            raise CellTooLong
        self._characters.append(characters)


class SharedStrings(TextParser):
    """The shared strings, in the order of their indices."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def started(self, name: str, _attributes: Mapping[str, str], /) -> None:
        """Begin a shared string at its tag."""
        if name == "si":
            self.begin_text()

    def ended(self, name: str) -> None:
        """Keep a shared string when it ends."""
        if name == "si":
            self.texts.append(self.text())


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))
