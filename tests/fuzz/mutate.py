"""Change one to three things in a workbook: in its XML, its records, or its container."""

import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence

from xlwt.CompoundDoc import XlsDoc  # type: ignore[import-untyped]  # comes without types

from batchlock.plan.read.workbook.xls_records import workbook_stream
from batchlock.plan.read.workbook.xlsb import _records as read_records

Change = Callable[[random.Random, str], str]

_ATTRIBUTE = re.compile(r"""\s([\w:]+)=("[^"<]*"|'[^'<]*')""")
_ELEMENT = re.compile(r"<([\w:.-]+)(?:\s[^<>]*)?(?:/>|>[^<>]*</\1>)")
_BLOCK = re.compile(
    r"<((?:\w+:)?(?:row|c|si|sheet|xf|Relationship|table-row|table-cell|is))\b[^>]*?(?:/>|>.*?</\1>)",
    re.DOTALL,
)
_TEXT = re.compile(r"(?<=>)[^<>]+(?=</)")
_NUMBER = re.compile(r"""(?<=["'>])\d+(?=["'<])""")
_BETWEEN = re.compile(r">(?=<)")
_ODD_VALUES = (
    "",
    " ",
    "0",
    "1",
    "-1",
    "true",
    "x",
    "99999999999",
    "1.0",
    "+1",
    "s",
    "str",
    "hidden",
)
_INSERTS = ("<!-- 1 -->", "<?x y?>", "\n  ", "<x/>", '<ext xmlns="urn:x"><v>1</v></ext>', "text")


def _pick(rng: random.Random, pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    matches = list(pattern.finditer(text))
    return rng.choice(matches) if matches else None


def _replace(
    pattern: re.Pattern[str], replacement: Callable[[random.Random, re.Match[str]], str]
) -> Change:
    def change(rng: random.Random, text: str) -> str:
        match = _pick(rng, pattern, text)
        if match is None:
            return text
        return text[: match.start()] + replacement(rng, match) + text[match.end() :]

    return change


def _attribute(rng: random.Random, match: re.Match[str]) -> str:
    name, value = match[1], match[2][1:-1]
    spaced = rng.choice((f" {value}", f"{value} ", f"\n{value}\t"))
    odd = rng.choice(_ODD_VALUES)
    first = f"&#{ord(value[0])};{value[1:]}" if value and value[0] != "&" else value
    return rng.choice(
        (
            "",
            f' {name}="{spaced}"',
            f' {name}="{value.swapcase()}"',
            f' {name}="{odd}"',
            f' {name}="{first}"',
            f" {name} = '{value}'",
            f' {name.swapcase()}="{value}"',
            f' unknown="1" {name}="{value}"',
            f' xml:space="preserve" {name}="{value}"',
            f' {name}="{value}"\n',
        )
    )


def _text(rng: random.Random, match: re.Match[str]) -> str:
    text = match[0]
    return rng.choice(
        (
            f" {text} ",
            f"{text}.0",
            f"+{text}",
            f"-{text}",
            f"<![CDATA[{text}]]>" if "&" not in text else text,
            "".join(f"&#{ord(c)};" for c in text) if "&" not in text else text,
            f"<!-- no -->{text}",
            f"{text[:1]}<!-- no -->{text[1:]}" if "&" not in text else text,
            "",
            f"\n{text}\n",
            f"{text}_x000D_",
        )
    )


def _swap(rng: random.Random, text: str) -> str:
    blocks = list(_BLOCK.finditer(text))
    if len(blocks) < 2:
        return text
    first, second = sorted(rng.sample(blocks, 2), key=lambda match: match.start())
    if first.end() > second.start() or first[1] != second[1]:
        return text
    return (
        text[: first.start()]
        + second[0]
        + text[first.end() : second.start()]
        + first[0]
        + text[second.end() :]
    )


def _prefix(_rng: random.Random, text: str) -> str:
    if 'xmlns="' not in text or "<x:" in text:
        return text
    return re.sub(r"<(/?)(?![\w]+:)(?=[A-Za-z])", r"<\1x:", text).replace('xmlns="', 'xmlns:x="', 1)


XML_CHANGES: tuple[Change, ...] = (
    _replace(_ATTRIBUTE, _attribute),
    _replace(_ATTRIBUTE, _attribute),
    _replace(_TEXT, _text),
    _replace(_TEXT, _text),
    _replace(_NUMBER, lambda rng, _: str(rng.choice((0, 1, 2, 7, 16384, 1 << 20, 1 << 31)))),
    _replace(_BLOCK, lambda _, match: match[0] * 2),
    _replace(_BLOCK, lambda _, _match: ""),
    _replace(_ELEMENT, lambda _, match: match[0] * 2),
    _replace(_ELEMENT, lambda _, _match: ""),
    _replace(_BETWEEN, lambda rng, _: ">" + rng.choice(_INSERTS)),
    _swap,
    _prefix,
    lambda _, text: _BETWEEN.sub(">\n", text),
    lambda rng, text: re.sub(
        r'ref="[^"]*"', f'ref="{rng.choice(("A1", "B2:A1", "A1:XFD1048576", "x"))}"', text, count=1
    ),
)


def mutant(rng: random.Random, name: str, content: bytes) -> bytes:
    """Return a workbook with some changes; the same random numbers make the same changes."""
    if name.endswith(".xls"):
        return _changed_xls(rng, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        part = rng.choice([*parts])
        if part.endswith(".bin"):
            parts[part] = _changed_xlsb(rng, parts[part])
        elif part.endswith((".xml", ".rels")):
            text = parts[part].decode("utf-8-sig")
            parts[part] = rng.choice(XML_CHANGES)(rng, text).encode()
    return _zipped(rng, parts)


def _zipped(rng: random.Random, parts: Mapping[str, bytes]) -> bytes:
    names = [*parts]
    odd = rng.random()
    if odd < 0.05:
        rng.shuffle(names)
    elif odd < 0.08:
        names.remove(rng.choice(names))
    rename: Mapping[str, Callable[[str], str]] = {
        "upper": str.upper,
        "back": lambda n: n.replace("/", "\\"),
    }
    change = rename.get(rng.choice(("",) * 30 + ("upper", "back")), str)
    method = zipfile.ZIP_STORED if rng.random() < 0.05 else zipfile.ZIP_DEFLATED
    output = io.BytesIO()
    # A file that cannot go back gets data descriptors behind its entries.
    target = _OneWay(output) if rng.random() < 0.05 else output
    with zipfile.ZipFile(target, "w", method) as archive:  # type: ignore[call-overload]  # an int
        for name in names:
            archive.writestr(change(name), parts[name])
        if rng.random() < 0.03:
            archive.writestr(
                rng.choice(("xl/extra.xml", "docProps/extra.xml")), b"<!DOCTYPE x><x/>"
            )
    return output.getvalue()


class _OneWay:
    """A file that cannot seek."""

    def __init__(self, file: io.BytesIO) -> None:
        self.write, self.flush = file.write, file.flush


def _changed_bytes(rng: random.Random, content: bytes) -> bytes:
    """Change bytes wherever they are; most changes hit a number or a text."""
    changed = bytearray(content)
    at = rng.randrange(max(1, len(changed)))
    match rng.randrange(5):
        case 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        case 1:
            changed = changed[:at]
        case 2:
            changed[at : at + rng.randrange(1, 20)] = b""
        case 3:
            changed[at:at] = changed[at : at + rng.randrange(1, 40)]
        case _:
            changed[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 255, 65535, 1 << 20)))
    return bytes(changed)


def _changed_xlsb(rng: random.Random, content: bytes) -> bytes:
    try:
        records = read_records(content) if rng.random() < 0.6 else ()
        parsed = [(kind, bytearray(content[start:end])) for kind, start, end in records]
    except IndexError:  # an earlier change has cut off a record
        parsed = []
    if not parsed:
        return _changed_bytes(rng, content)
    _change_record(rng, parsed, (0, 1, 2, 5, 6, 7, 12, 18, 62))
    return b"".join(_seven_bits(kind) + _seven_bits(len(body)) + body for kind, body in parsed)


def _seven_bits(number: int) -> bytes:
    """Return a number as .xlsb has it: the high bit says that another byte follows."""
    more = number >> 7
    return bytes([number & 0x7F | 0x80 * bool(more)]) + (_seven_bits(more) if more else b"")


def _changed_xls(rng: random.Random, content: bytes) -> bytes:
    if rng.random() < 0.2:
        return _changed_bytes(rng, content)
    stream, _ = workbook_stream(content)
    records = []
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        records.append((kind, bytearray(stream[at + 4 : at + 4 + length])))
        at += 4 + length
    for _ in range(rng.choice((1, 1, 2))):
        _change_record(rng, records, (0x00FC, 0x0204, 0x00FD, 0x0042))
    data = b"".join(struct.pack("<HH", kind, len(body)) + body for kind, body in records)
    output = io.BytesIO()
    XlsDoc().save(output, data)
    return output.getvalue()


def _change_record(
    rng: random.Random, records: list[tuple[int, bytearray]], kinds: Sequence[int]
) -> None:
    # Half of the changes keep the lengths of records, and with them the offsets of the sheets.
    at = rng.randrange(len(records))
    kind, body = records[at]
    if body and rng.random() < 0.7:
        position = rng.randrange(len(body))
        change = rng.choice((1, 2, 4))
        value = rng.choice((0, 1, 2, 255, rng.randrange(256)))
        body[position : position + change] = value.to_bytes(1, "little") * min(
            change, len(body) - position
        )
        return
    match rng.randrange(4):
        case 0:
            del records[at]
        case 1:
            records.insert(at, (kind, bytearray(body)))
        case 2:
            del body[rng.randrange(len(body) + 1) :]
        case _:
            records[at] = (rng.choice((kind ^ 1, *kinds)), body)
