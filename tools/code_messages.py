"""Collect from the code every message that a person can meet, with its code and its place."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from message_templates import Texts, is_marked, is_text, name_of, template, variants

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "batchlock"
# Files with texts that no other file's messages are made of: the stand-in speaks for Zoho.
LEFT_OUT = ("simulator/",)
EXIT_CODES = {
    "BatchlockError": "1",
    "UsageError": "2",
    "UnknownKey": "2",
    "WrongOrg": "2",
    "UnreadableFile": "4",
    "SignInRefused": "5",
    "Stopped": "6",
    "ConnectionLost": "6",
    "AlreadyRunning": "7",
    "TemporarilyUnavailable": "6",
    "_stopped": "6",  # of a stop rule
}
# The exit codes of the reasons why a run ends; by the name of the code.
STOP_CODES = {
    "SIGNAL": "129, 130, 143",
    "DEADLINE": "6",
    "ERROR": "1",
    "PAUSED": "6",
    "STOPPED": "6",
    "KILLED": "",
}
# Calls whose texts are messages: the position of the code, if there is one, and of the first text.
ROW_CALLS = {
    "Fault": (0, 1),
    "GuardRefusal": (0, 1),
    "Problem": (2, 3),
    "_note": (0, 2),
    "Explanation": (None, 0),
    "TransportFailure": (None, 1),
}
# Files whose ValueErrors, or problems that are collected, are about a setting.
SETTING_FILES = (
    "config/__init__.py",
    "config/sources.py",
    "config/settings.py",
    "config/messages.py",
    "core/encodings.py",
    "core/paths.py",
    "core/sizes.py",
    "notify/settings.py",
    "zoho/settings.py",
    "zoho/network.py",
)
# Parts of messages whose code is set where they are used.
ROW_CODES = (
    ("looks rounded", "rounded_id"),
    ("ends in zeros", "rounded_id"),
    ("Rows {numbers}", "conflict"),
    ("was sent, because", "3"),
)
# Files whose dictionaries of texts hold messages, with the code of these.
DICTIONARIES = {"zoho/oauth.py": "5", "web/uploads/starting.py": ""}
# First words of sentences that say what to do.
IMPERATIVES = frozenset(
    "Add Ask Check Choose Compare Copy Correct Create Delete Empty Export Fill Format Generate Get "
    "Give Install Keep Leave Let Lock Look Lower Make Name Open Or Paste Put Remove Rename Resume "
    "Run Save See Set Shorten Show Sign Switch Take Then Try Type Unlock Unpack Use Wait Write "
    "Close Split Hide Indent If".split()
)
SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z`{])")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the code."""

    text: str
    remedy: str
    """What the message itself says about what to do; empty if nothing."""
    code: str
    place: str


def sentences(text: str) -> tuple[str, str]:
    """Split a message into what happened and what to do."""
    parts = SENTENCE_ENDS.split(" ".join(text.split()))
    # `Run {run_id} belongs to` names a run.
    says_what_to_do = (
        part.partition(" ")[0] in IMPERATIVES and not part.startswith("Run {") for part in parts
    )
    at = next((number for number, says in enumerate(says_what_to_do) if says), len(parts))
    return " ".join(parts[:at]), " ".join(parts[at:])


def is_message(text: str) -> bool:
    """Tell whether a text says anything by itself."""
    words = re.findall(r"\b[A-Za-z]{2,}\b", re.sub(r"\{[^}]*\}", "", text))
    # `it must be ` is only the beginning of others.
    return len(words) > 1 and not text.endswith(" ")


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield all calls in a part of the code."""
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def arguments(call: ast.Call, place: str, texts: Texts) -> tuple[str, list[ast.expr]] | None:
    """Return the code and the texts of a call that makes a message."""
    name, positional = name_of(call), call.args
    keywords = {one.arg: one.value for one in call.keywords if one.arg}
    if name in EXIT_CODES and positional:
        return EXIT_CODES[name], positional[:1]
    # Those of report/summaries.py stand in tables.
    if (
        name == "StopReason"
        and place != "report/summaries.py"
        and is_text(keywords.get("sentence", call))
    ):
        code = keywords.get("code")
        code_name = code.attr if isinstance(code, ast.Attribute) else ""
        return STOP_CODES.get(code_name, ""), [keywords["sentence"]]
    if name == "Note":
        message = keywords.get("message")
        return code_of(keywords.get("code"), texts), [] if message is None else [message]
    if name in ("_refused", "_refused_by_setup", "_refused_for_good", "ErrorCode"):
        return "", positional[-1:]
    if name == "UploadRefused" and positional and is_marked(positional[0]):
        marked = positional[0]
        return EXIT_CODES["BatchlockError"], [
            ast.Call(func=marked.func, args=marked.args, keywords=call.keywords)
        ]
    if name in ROW_CALLS:
        code_at, text_at = ROW_CALLS[name]
        has_code = code_at is not None and len(positional) > code_at
        named = [keywords[each] for each in ("message", "remedy") if each in keywords]
        code = code_of(positional[code_at] if has_code else None, texts)
        return code, [*positional[text_at:], *named]
    if name == "sentences" and place.endswith("breaker.py"):
        return "6", positional[:1]
    is_setting = place in SETTING_FILES and (
        name == "ValueError" or ast.unparse(call.func) == "problems.append"
    )
    return ("2", positional[:1]) if is_setting else None


def code_of(node: ast.expr | None, texts: Texts) -> str:
    """Return the code of a problem or note."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    return (texts.find(node.id) or "") if isinstance(node, ast.Name) else ""


def zoho_codes(tree: ast.Module) -> dict[str, str]:
    """Return Zoho's codes by the source of what they mean: a call, or the name of a constant."""
    codes: dict[str, list[str]] = {}
    for table in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Tuple) and isinstance(key.elts[0], ast.Constant):
                codes.setdefault(ast.unparse(value), []).append(str(key.elts[0].value))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            codes[ast.unparse(node.value)] = codes.get(node.targets[0].id, [])
    return {source: ", ".join(dict.fromkeys(names)) for source, names in codes.items()}


def collect() -> list[Message]:
    """Return the messages of the code, each once, in the order of files and lines."""
    files = [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.relative_to(PACKAGE).as_posix().startswith(LEFT_OUT)
    ]
    trees = {path: ast.parse(path.read_text("utf-8")) for path in files}
    texts: dict[str, Texts] = {}
    for path, tree in trees.items():
        texts[".".join(path.relative_to(ROOT).with_suffix("").parts)] = Texts(tree, texts)
    messages: dict[tuple[str, str, str], Message] = {}
    for path, tree in trees.items():
        place = path.relative_to(PACKAGE).as_posix()
        module = texts[".".join(path.relative_to(ROOT).with_suffix("").parts)]
        for code, text in of_file(tree, place, module):
            what, remedy = sentences(text)
            if not what and place != "zoho/error_codes.py":
                continue  # only says what to do about other messages
            what = what or "(the message of Zoho)"
            if place.startswith("web/") and code == EXIT_CODES["BatchlockError"]:
                code = ""  # shown on the page, and ends no command
            message = Message(what, remedy, code, place)
            if is_message(text):
                messages.setdefault((code, what, remedy), message)
    return list(messages.values())


def of_file(tree: ast.Module, place: str, texts: Texts) -> Iterator[tuple[str, str]]:
    """Yield the code and the text of each message of a file."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    inside = {id(call): function for function in functions for call in calls(function)}
    codes = zoho_codes(tree) if place == "zoho/error_codes.py" else {}
    for call in calls(tree):
        code_and_nodes = arguments(call, place, texts)
        if code_and_nodes is None or not code_and_nodes[1]:
            continue
        code, nodes = code_and_nodes
        code = code or codes.get(ast.unparse(call), "")
        subject = "Rows {rows} are " if name_of(call) == "_note" else ""
        function = inside.get(id(call))
        options = variants(function) if function is not None else [{}]
        used = {
            node.id for one in nodes for node in ast.walk(one) if isinstance(node, ast.Name)
        } & {name for option in options for name in option}
        complete = [option for option in options if used <= option.keys()] or options[:1]
        for text in dict.fromkeys(
            " ".join(template(node, texts, option) for node in nodes) for option in complete
        ):
            yield code, subject + text
    yield from of_tables(tree, place, texts)


def of_tables(tree: ast.Module, place: str, texts: Texts) -> Iterator[tuple[str, str]]:
    """Yield the messages that stand in tables and constants instead of calls."""
    if place in ("core/messages.py", "report/summaries.py"):
        for node in ast.walk(tree):
            value = node.value if isinstance(node, ast.Assign | ast.Return) else None
            if value is not None and is_text(value) and template(value, texts, {}).endswith("."):
                text = template(value, texts, {})
                yield next((code for part, code in ROW_CODES if part in text), ""), text
    if place == "config/messages.py":
        for node in tree.body:
            if isinstance(node, ast.Assign) and is_text(node.value):
                yield "2", template(node.value, texts, {})
        for node in ast.walk(tree):
            if isinstance(node, ast.Tuple) and len(node.elts) == 2 and is_text(node.elts[1]):
                yield "2", template(node.elts[1], texts, {})
            elif isinstance(node, ast.Lambda):
                yield "2", template(node.body, texts, {})
    if place in DICTIONARIES:
        for node in ast.walk(tree):
            values = node.values if isinstance(node, ast.Dict) else []
            code = DICTIONARIES[place]
            yield from ((code, template(one, texts, {})) for one in values if is_text(one))
    if place == "zoho/failures.py":
        for node in ast.walk(tree):
            if isinstance(node, ast.Tuple) and len(node.elts) == 3 and is_text(node.elts[1]):
                yield "", " ".join(template(one, texts, {}) for one in node.elts[1:])
    if place == "send/pacing/budget.py":
        for node in ast.walk(tree):
            if isinstance(node, ast.Return) and node.value is not None and is_text(node.value):
                yield "6", template(node.value, texts, {})
