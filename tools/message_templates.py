"""Texts of the code as templates: `f"{len(rows):,} rows"` is "{number} rows"."""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import TypeGuard

# What a person calls the values that the code names otherwise.
PLACEHOLDERS = {
    "strerror": "reason",
    "context": "number",
    "header": "titles",
    "lock": "file",
    "match": "number",
    "split": "title",
    "timeout:g": "seconds",
    "max_cell_length": "number",
    "max_files": "number",
    "asked": "at",
    "present": "now",
    "finished_time": "finished",
    "longest_reason": "number",
    "min_length": "number",
}
# Calls that mark a text for the translators of the page: the position of the English text.
MARKS = {"_": 0, "N_": 0, "ngettext": 1}
VARIABLE = re.compile(r"%\((\w+)\)s")


class Texts:
    """The constants of one file that messages are made of, also those that it imports."""

    def __init__(self, tree: ast.Module, others: Mapping[str, "Texts"]) -> None:
        self._values: dict[str, ast.expr] = {}
        self._imported: dict[str, tuple[str, str]] = {}
        self._others = others
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._values[node.targets[0].id] = node.value
            elif isinstance(node, ast.ImportFrom) and node.module:
                for name in node.names:
                    self._imported[name.asname or name.name] = (node.module, name.name)

    def find(self, name: str) -> str | None:
        """Return the text of a constant, None when it is no text or unknown."""
        if name in self._values:
            value = self._values[name]
            return template(value, self, {}) if is_text(value) else None
        module, original = self._imported.get(name, ("", ""))
        return self._others[module].find(original) if module in self._others else None


def is_text(node: ast.expr) -> bool:
    """Tell whether an expression is made of texts."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and is_text(node.left)
    return (
        isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        or (is_marked(node) and is_text(node.args[MARKS[name_of(node)]]))
    )


def is_marked(node: ast.expr) -> TypeGuard[ast.Call]:
    """Tell whether an expression is a text that is marked for the translators of the page."""
    return isinstance(node, ast.Call) and len(node.args) > MARKS.get(name_of(node), len(node.args))


def translated(call: ast.Call, values: Sequence[ast.keyword], texts: Texts) -> str:
    """Return the English text of a marked one, with {name} for each of its values."""
    names = {one.arg: placeholder(one.value) for one in values if one.arg}
    if name_of(call) == "ngettext":
        names["num"] = placeholder(call.args[2])

    def name(variable: re.Match[str]) -> str:
        # A literal stands for itself.
        own = names.get(variable[1], "…").replace("…", variable[1])
        return f"{{{PLACEHOLDERS.get(own, own)}}}"

    text = template(call.args[MARKS[name_of(call)]], texts, {})
    return VARIABLE.sub(name, text).replace("%%", "%")


def template(node: ast.expr, texts: Texts, local: Mapping[str, ast.expr]) -> str:
    """Return the text of an expression, with {name} for each part that changes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if is_marked(node):
        return translated(node, node.keywords, texts)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part, texts, local) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return template(node.value, texts, local)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left, texts, local) + template(node.right, texts, local)
    if isinstance(node, ast.IfExp) and is_text(node.body) and is_text(node.orelse):
        return template(node.body, texts, local)
    if isinstance(node, ast.Name):
        if node.id in local:
            return template(local[node.id], texts, {})
        constant = texts.find(node.id)
        if constant is not None:
            return constant
    name = placeholder(node)
    return f"{{{PLACEHOLDERS.get(name, name)}}}"


def placeholder(node: ast.expr) -> str:
    """Return a short name for a part of a message that changes."""
    if isinstance(node, ast.Name):
        return node.id.strip("_").lower()
    if isinstance(node, ast.Attribute):
        owner = placeholder(node.value)
        return owner.replace("path", "file") if node.attr == "name" else node.attr.strip("_")
    if isinstance(node, ast.Call):
        if name_of(node) == "len":
            return "number"
        return placeholder(node.args[0]) if node.args else placeholder(node.func)
    if isinstance(node, ast.Subscript | ast.Starred):
        return placeholder(node.value)
    if isinstance(node, ast.BoolOp):
        return placeholder(node.values[0])
    if isinstance(node, ast.BinOp):
        return placeholder(node.left)
    if isinstance(node, ast.IfExp):
        return placeholder(node.body)
    return "…"


def variants(function: ast.AST) -> list[dict[str, ast.expr]]:
    """Return the texts that the local names of a function can have together.

    Names that are assigned in the same block belong together; those of the function's own block
    hold where no other block assigns them.
    """
    own: dict[str, ast.expr] = {}
    blocks: list[dict[str, ast.expr]] = []
    for node in ast.walk(function):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if not isinstance(block, list):
                continue
            assigned = {
                statement.targets[0].id: statement.value
                for statement in block
                if isinstance(statement, ast.Assign)
                and isinstance(statement.targets[0], ast.Name)
                and is_text(statement.value)
            }
            if node is function:
                own = assigned
            elif assigned:
                blocks.append(assigned)
    return [own, *(own | block for block in blocks)]


def name_of(call: ast.Call) -> str:
    """Return the name of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
