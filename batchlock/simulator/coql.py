"""Queries in COQL: `POST /coql`.

The simulator knows the part that lists of locked records need: `select`, `from`, `where` with the
fields `Locked__s` and `id`, `order by id`, and `limit` with `offset`. Everything else of COQL is a
SYNTAX_ERROR here.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer, refusal
from batchlock.simulator.fields import is_field, item_of
from batchlock.simulator.records import Inventory, Record

# All from Zoho's pages on COQL and its limitations.
MOST_ROWS = 2000
MOST_BY_OFFSET = 100_000
DEFAULT_LIMIT = 200
MOST_COLUMNS = 50
_CREDITS = ((200, 1), (1000, 2), (MOST_ROWS, 3))

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|\d+|'[^']*'|>=|<=|!=|[=<>(),])|\s*$")
_COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
}
_ORDERS: dict[str, Callable[[int, int], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_KEYWORDS = {"select", "from", "where", "and", "order", "by", "asc", "desc", "limit", "offset"}

Criterion = Callable[[Record], bool]


class _RefusedError(Exception):
    """A query that is refused."""

    def __init__(self, answer: CannedResponse) -> None:
        super().__init__(answer.code)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class _Query:
    columns: Sequence[str]
    module: str
    criteria: Sequence[Criterion]
    where_fields: Sequence[str]
    is_descending: bool
    limit: int
    offset: int


def module_of(body: bytes) -> str | None:
    """Return the module that a body asks for; None if it has no readable query."""
    try:
        return _parse(body).module
    except _RefusedError:
        return None


def credits_of(body: bytes) -> int:
    """Return the credits that a call costs."""
    try:
        limit = _parse(body).limit
    except _RefusedError:
        return 1
    return next((cost for most, cost in _CREDITS if limit <= most), 1)


def answer(
    body: bytes,
    inventory: Inventory,
    *,
    is_module: Callable[[str], bool],
    knows_locked: bool,
    most_rows: int = MOST_ROWS,
) -> CannedResponse:
    """Answer a query. `knows_locked` is whether queries may name the field `Locked__s`."""
    try:
        query = _parse(body)
        _check_names(query, is_module, knows_locked=knows_locked)
        _check_limits(query, most_rows)
    except _RefusedError as refused:
        return refused.answer
    records = inventory.records_of(query.module)
    if query.is_descending:
        records.reverse()
    matching = [one for one in records if all(criterion(one) for criterion in query.criteria)]
    end = query.offset + query.limit
    rows = matching[query.offset : end]
    if not rows:
        return answers.NO_CONTENT
    data = [item_of(query.module, record, query.columns) for record in rows]
    info = {"count": len(rows), "more_records": end < len(matching)}
    return json_answer({"data": data, "info": info})


def _check_names(query: _Query, is_module: Callable[[str], bool], *, knows_locked: bool) -> None:
    if not is_module(query.module):
        details = {"module": query.module}
        raise _RefusedError(
            refusal("INVALID_MODULE", "the module name given seems to be invalid", details=details)
        )
    for name in (*query.columns, *query.where_fields):
        if not is_field(query.module, name) or (name == "Locked__s" and not knows_locked):
            raise _RefusedError(_wrong_column(name))
    for name in query.where_fields:
        if name not in ("id", "Locked__s"):
            raise _RefusedError(_syntax_error({"line": 1, "column": 1, "near": name}))


def _check_limits(query: _Query, most_rows: int) -> None:
    if len(query.columns) > MOST_COLUMNS:
        raise _RefusedError(_over_limit("select", MOST_COLUMNS))
    if query.limit > most_rows:
        raise _RefusedError(_over_limit("limit", most_rows))
    if query.offset + query.limit > MOST_BY_OFFSET:
        raise _RefusedError(_over_limit("offset", MOST_BY_OFFSET))


def _over_limit(clause: str, limit: int) -> CannedResponse:
    return refusal("LIMIT_EXCEEDED", "limit exceeded", details={"by": clause, "limit": limit})


def _wrong_column(name: str) -> CannedResponse:
    return refusal(
        "INVALID_QUERY", "column given seems to be invalid", details={"column_name": name}
    )


def _syntax_error(details: Mapping[str, object]) -> CannedResponse:
    return refusal("SYNTAX_ERROR", "error occured while parsing the query", details=details)


def _parse(body: bytes) -> _Query:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _RefusedError(answers.BAD_BODY) from None
    text = content.get("select_query") if isinstance(content, dict) else None
    if not isinstance(text, str):
        details = {"api_name": "select_query", "json_path": "$.select_query"}
        raise _RefusedError(
            refusal("MANDATORY_NOT_FOUND", "required field not found", details=details)
        )
    return _Parser(text).query()


class _Parser:
    """Reads a query from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._where_fields: list[str] = []

    def query(self) -> _Query:
        self._expect("select")
        columns = [self._name()]
        while self._take(","):
            columns.append(self._name())
        self._expect("from")
        module = self._name()
        if not self._take("where"):
            raise _RefusedError(
                refusal("SYNTAX_ERROR", "missing clause", details={"clause": "where"})
            )
        criteria = self._criteria()
        is_descending = False
        if self._take("order"):
            self._expect("by")
            self._expect("id")
            is_descending = self._take("desc")
            if not is_descending:
                self._take("asc")
        limit = self._number() if self._take("limit") else DEFAULT_LIMIT
        offset = self._number() if self._take("offset") else 0
        if self._peek():
            raise self._error()
        return _Query(columns, module, criteria, self._where_fields, is_descending, limit, offset)

    def _criteria(self) -> list[Criterion]:
        # Zoho requires brackets around pairs: `(A and B) and C`, never `A and B and C`.
        criteria = self._criterion()
        if self._take("and"):
            criteria += self._criterion()
        return criteria

    def _criterion(self) -> list[Criterion]:
        if self._take("("):
            criteria = self._criteria()
            self._expect(")")
            return criteria
        name = self._name()
        self._where_fields.append(name)
        sign = self._peek()
        if (sign not in _COMPARISONS | _ORDERS) or (name == "Locked__s" and sign in _ORDERS):
            raise self._error()
        self._next()
        if name == "Locked__s":
            is_locked = self._truth()
            compare = _COMPARISONS[sign]
            return [lambda record: compare(record.lock.lock_id is not None, is_locked)]
        if name == "id":
            number = self._number()
            order = (_COMPARISONS | _ORDERS)[sign]
            return [lambda record: order(int(record.record_id), number)]
        self._next()
        return []

    def _truth(self) -> bool:
        word = self._peek().strip("'").lower()
        if word not in ("true", "false"):
            raise self._error()
        self._next()
        return word == "true"

    def _number(self) -> int:
        word = self._peek().strip("'")
        if not word.isdecimal():
            raise self._error()
        self._next()
        return int(word)

    def _name(self) -> str:
        word = self._peek()
        if not (word[:1].isalpha() or word[:1] == "_") or word.lower() in _KEYWORDS:
            raise self._error()
        return self._next()

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._error()

    def _take(self, word: str) -> bool:
        """Go past a word if it is the next one."""
        if self._peek().lower() != word:
            return False
        self._next()
        return True

    def _peek(self) -> str:
        """Return the next word; empty at the end of the query."""
        match = _TOKEN.match(self._text, self._place)
        if match is None:
            raise self._error()
        return match[1] or ""

    def _next(self) -> str:
        word = self._peek()
        match = _TOKEN.match(self._text, self._place)
        assert match is not None
        self._place = match.end()
        return word

    def _error(self) -> _RefusedError:
        before = self._text[: self._place]
        details = {
            "line": before.count("\n") + 1,
            "column": len(before.rpartition("\n")[2]) + 1,
            "near": self._text[self._place :].strip()[:20].rstrip(),
        }
        return _RefusedError(_syntax_error(details))
