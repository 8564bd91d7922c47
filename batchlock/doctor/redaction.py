"""Take secrets, ids, names and paths out of texts that leave this machine.

A text keeps only what batchlock says itself: phrases of its own messages, small numbers, times,
versions, settings and hosts of Zoho. Everything else becomes `#` and a hash, so that the same id
can be recognised in several places. The hash is made with a random salt that is forgotten: without
it, an id of 18 digits could be found by trying.

A word stays when three words in a row, of which it is one, stand in a message of the code. Single
words would let reasons of common words pass.
"""

import ast
import builtins
import functools
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from batchlock.config.sources import SECTIONS
from batchlock.core.reply import Verdict
from batchlock.core.results import Result
from batchlock.core.rows import MODULES
from batchlock.core.runs import RunState
from batchlock.zoho.datacenters import DATA_CENTERS, data_center_of

_PACKAGE = Path(__file__).parents[1]
# Lists of words of many languages, and the stand-in, are no messages.
_LEFT_OUT = ("simulator", "plan/read", "web")
# So many words in a row must stand in a message.
_PHRASE = 3
# Words of the log that are no part of a message.
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# What stands before the lines of a preview in the log.
_LABELS = (("Read", "as"), ("Columns",), ("To", "send"), ("Takes",), ("Sample",), ("Sending",))
_SECTIONS = tuple(path[0] for path in SECTIONS)
# Behind it stands the reason of a row, which may hold every word and sign.
_REASON = re.compile(r"(?i)\b(reason:).*")

_HASH_DIGITS = 10
_HASH = re.compile(rf"#[0-9a-f]{{{_HASH_DIGITS}}}")
# A place for a value in a message.
_PLACE = re.compile(r"%[-.0-9]*[sdfr]|\{[^}]*\}")
_EXAMPLE = re.compile(r"[/\\@]|\.[a-z]\w*$|[0-9]{5}")
# What people quote is a cell, a reason, a title or a name.
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|«[^»]*»')
# Signs around a word that say nothing by themselves.
_EDGES = re.compile(r"^([\[({`'<]*)(.*?)([\])}`'>.,:;!?…]*)$", re.DOTALL)
# Ids have ten digits and more, numbers of orgs nine; ports, counts and row numbers have fewer.
_NUMBER = re.compile(r"[+-]?[0-9]{1,6}(,[0-9]{3})*(\.[0-9]{1,3})?%?|[0-9]{1,6}-[0-9]{1,6}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?")
# Not four numbers, which are an address of the network.
_VERSION = re.compile(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?((a|b|rc)[0-9]+)?")
_SETTING = re.compile(r"[a-z_]+(\.[a-z_]+)+")
# Events, loggers, results and codes are names of ours or of Zoho.
_NAME = re.compile(r"[A-Za-z_.]{1,60}")
# The class of an exception of a library.
_ERROR = re.compile(r"(aiohttp|asyncio|psycopg|sqlalchemy|sqlite3|ssl)(\.\w+)*\.[A-Z]\w+")
_VARIABLE = re.compile(r"BATCHLOCK_[A-Z_]+")
# A line of a traceback. The part of the path from the package on is the same on every machine.
_FRAME = re.compile(
    r'(\s*)File "(?:.*[/\\])?((?:site-packages|batchlock|lib)[/\\][^"]+)", (line \d+, in \w+)'
)
_OTHER_FRAME = re.compile(r'(\s*)File "[^"]*", (line \d+), in .*')
# Shorter texts are too common to be replaced everywhere.
_LEAST_PRIVATE = 3


class Redactor:
    """Redacts texts for one bundle."""

    def __init__(self, settings: Iterable[str], phrases: "Phrases | None" = None) -> None:
        """Let the names in `settings` stand, such as `zoho.data_center`, and own phrases."""
        self._salt = secrets.token_bytes(16)
        self._settings = frozenset(settings)
        self._phrases = own_phrases() if phrases is None else phrases
        self._private: re.Pattern[str] | None = None
        self._private_texts: set[str] = set()

    def add_private(self, texts: Iterable[object]) -> None:
        """Let texts stand nowhere, whatever words they have: reasons, names, secrets."""
        for text in texts:
            if isinstance(text, str) and len(text.strip()) >= _LEAST_PRIVATE:
                self._private_texts.add(text.strip())
        self._private_texts -= set(MODULES)
        self._private = None

    def hashed(self, value: object) -> str:
        """Return the hash that stands for a value."""
        digest = hashlib.sha256(self._salt + str(value).encode("utf-8", "surrogatepass"))
        return f"#{digest.hexdigest()[:_HASH_DIGITS]}"

    def text(self, text: str) -> str:
        """Return a text on one line without what is private."""
        text = self._without_private(text)
        text = _REASON.sub(r"\1 …", _QUOTED.sub("…", text))
        tokens = [_split(token) for token in text.split()]
        words = [word for _, word, _ in tokens]
        is_phrase = self._phrases.has_words(words)
        return " ".join(
            f"{before}{word if is_own or self._is_known(word) else self.hashed(word)}{after}"
            for (before, word, after), is_own in zip(tokens, is_phrase, strict=True)
        )

    def log(self, text: str) -> str:
        """Return lines of a log without what is private; tracebacks keep their places."""
        lines = []
        is_code = False
        for line in text.splitlines():
            if line.startswith("{"):
                lines.append(self._json_line(line))
                continue
            if is_code and not line.lstrip().startswith("File "):
                # The line of the code that a frame of a traceback quotes.
                lines.append(line)
                is_code = False
            elif frame := _FRAME.match(line):
                lines.append(f'{frame[1]}File "{frame[2]}", {frame[3]}')
                is_code = True
            elif other := _OTHER_FRAME.match(line):
                lines.append(f'{other[1]}File "…", {other[2]}')
                is_code = False
            else:
                lines.append(self.text(line))
                is_code = False
        return "\n".join(lines)

    def _json_line(self, line: str) -> str:
        """Return a line of a log that is written as JSON objects (`log.format`)."""
        try:
            values = json.loads(line)
        except ValueError:
            return self.text(line)
        redacted = {}
        for name, value in values.items() if isinstance(values, dict) else ():
            if name in ("time", "level", "process", "row", "attempts", "exit_code"):
                redacted[name] = value
            elif name in ("message", "exception"):
                redacted[name] = self.log(str(value))
            elif name in ("event", "logger", "result", "code"):
                redacted[name] = value if _NAME.fullmatch(str(value)) else self.hashed(value)
            elif name in ("org", "run_id"):
                redacted[name] = None if value is None else self.hashed(value)
        return json.dumps(redacted)

    def _without_private(self, text: str) -> str:
        if not self._private_texts:
            return text
        if self._private is None:
            longest_first = sorted(self._private_texts, key=len, reverse=True)
            words = "|".join(map(re.escape, longest_first))
            self._private = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
        return self._private.sub(lambda match: self.hashed(match[0]), text)

    def _is_known(self, word: str) -> bool:
        """Return whether a word tells nothing about anybody, wherever it stands."""
        if word in ("", "…", *_LEVELS, *MODULES) or _HASH.fullmatch(word):
            return True
        if any(pattern.fullmatch(word) for pattern in (_NUMBER, _TIME, _VERSION)):
            return True
        if word in _ZOHO_HOSTS or _ERROR.fullmatch(word) or hasattr(builtins, word):
            return True
        if _SETTING.fullmatch(word):
            return word in self._settings
        if _VARIABLE.fullmatch(word):
            return _setting_of(word) in self._settings
        is_url = word.startswith("https://") and "@" not in word
        return is_url and data_center_of(word) is not None and not urlsplit(word).path


def _split(token: str) -> tuple[str, str, str]:
    """Return the signs before a word, the word, and the signs behind it."""
    match = _EDGES.match(token)
    return (match[1], match[2], match[3]) if match else ("", token, "")


def _setting_of(variable: str) -> str:
    return ".".join(variable.removeprefix("BATCHLOCK_").lower().split("__"))


def _zoho_hosts() -> Iterator[str]:
    for data_center in DATA_CENTERS.values():
        yield urlsplit(data_center.accounts_url).hostname or ""
        for environment in ("production", "sandbox", "developer"):
            yield urlsplit(data_center.api_url(environment)).hostname or ""


_ZOHO_HOSTS = frozenset(_zoho_hosts())


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the messages of the code say."""

    windows: frozenset[tuple[str, ...]]
    """Every three words in a row."""
    pieces: frozenset[tuple[str, ...]]
    """The pieces of one or two words that stand between two values."""

    def has_words(self, words: Sequence[str]) -> list[bool]:
        """Return for each of some words in a row whether a message says it."""
        is_message = [False] * len(words)
        for size, known in ((_PHRASE, self.windows), (2, self.pieces), (1, self.pieces)):
            for start in range(len(words) - size + 1):
                if tuple(words[start : start + size]) in known:
                    is_message[start : start + size] = [True] * size
        return is_message


@functools.cache
def own_phrases() -> Phrases:
    """Return the phrases of batchlock's own messages; none without the source."""
    windows: set[tuple[str, ...]] = set()
    pieces: set[tuple[str, ...]] = {(state.value,) for state in (*Result, *RunState, *Verdict)}
    pieces.update(_LABELS)
    for path in sorted(_PACKAGE.rglob("*.py")):
        if path.relative_to(_PACKAGE).as_posix().startswith(_LEFT_OUT):
            continue
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (OSError, SyntaxError, UnicodeDecodeError):
            continue
        for text, is_piece in _texts_of(tree):
            # A place for a value ends a phrase: `%s` of the log, `{name}` of a template.
            for part in _PLACE.split(text):
                words = tuple(word for _, word, _ in map(_split, part.split()) if word)
                for window in zip(*(words[start:] for start in range(_PHRASE)), strict=False):
                    if not any(map(_is_example, window)):
                        windows.add(window)
                is_between = is_piece or part is not text
                if 0 < len(words) < _PHRASE and is_between and not any(map(_is_example, words)):
                    pieces.add(words)
    return Phrases(frozenset(windows), frozenset(pieces))


def _is_example(word: str) -> bool:
    """Return whether a word of a message is a path, an address or an id, as a real one could be."""
    return bool(_EXAMPLE.search(word)) and word.partition(".")[0] not in _SECTIONS


def _texts_of(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield the texts of a module but for its docstrings, and whether each stands beside values."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    in_format = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
        ):
            yield node.value, id(node) in in_format
