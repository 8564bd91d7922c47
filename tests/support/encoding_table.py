"""Files in many languages and encodings, and how many of them are read wrong or refused.

    PYTHONPATH=tests python -m support.encoding_table --files 20

The texts are those of tests/data/prose/lock_reasons.txt. A file has a header and 1 to 200 rows; the
shortest have a reason of two words.
"""

import argparse
import random
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchlock.core.errors import UnreadableFile
from batchlock.core.reading import EncodingSource
from batchlock.plan.read.encoding import Detected, Undecided, detect_encoding

TEXTS = Path(__file__).parents[1] / "data" / "prose" / "lock_reasons.txt"
_WEST = "cp1252 iso8859-15 mac_roman cp850"
_CENTRAL = "cp1250 iso8859-2 mac_latin2 cp852"
_CYRILLIC = "cp1251 koi8_r koi8_u iso8859-5 mac_cyrillic cp866"
_BALTIC = "cp1257 iso8859-13 cp775"
ENCODINGS = {
    **dict.fromkeys(
        ["en", "fr", "de", "es", "pt", "it", "nl", "sv", "da", "nb", "fi", "is", "ca"], _WEST
    ),
    **dict.fromkeys(["ga", "gl", "eu", "sq"], _WEST),
    **dict.fromkeys(["pl", "cs", "sk", "hu", "ro", "sl", "hr"], _CENTRAL),
    **dict.fromkeys(["ru", "uk", "bg", "sr"], _CYRILLIC),
    **dict.fromkeys(["lt", "lv"], _BALTIC),
    "et": f"{_BALTIC} cp1252 iso8859-15",
    "el": "cp1253 iso8859-7 mac_greek cp737",
    "tr": "cp1254 iso8859-9 mac_turkish cp857",
    "he": "cp1255 iso8859-8 cp862",
    "ar": "cp1256 iso8859-6 cp720",
    "fa": "cp1256",
    "vi": "cp1258",
    "th": "cp874",
    "zh-Hans": "gbk gb18030",
    "zh-Hant": "big5 cp950",
    "ja": "cp932 euc_jp",
    "ko": "cp949 euc_kr",
}
DOS = frozenset({"cp437", "cp720", "cp737", "cp775", "cp850", "cp852", "cp857", "cp862", "cp866"})
_WITHOUT_SPACES = {"zh-Hans", "zh-Hant", "ja", "th"}
# Words of the only reason, or rows with whole reasons.
SIZES: Mapping[str, int] = {
    "2 words": -2,
    "4 words": -4,
    "1 row": 1,
    "3 rows": 3,
    "20 rows": 20,
    "200 rows": 200,
}


@dataclass(frozen=True, slots=True)
class Made:
    """A file of the table."""

    language: str
    encoding: str
    size: str
    content: bytes

    @property
    def is_western(self) -> bool:
        """Whether it is a Windows-1252 file, which should be read."""
        return self.encoding == "cp1252"

    @property
    def text(self) -> str:
        return self.content.decode(self.encoding)


@dataclass(slots=True)
class Table:
    """Counts by size; refused are Windows-1252 files only, wrong are all that read wrong."""

    western: Counter[str]
    refused: Counter[str]
    others: Counter[str]
    wrong: list[Made]
    refusals: list[Made]

    def rows(self) -> Iterator[str]:
        for size in SIZES:
            wrong = sum(one.size == size for one in self.wrong)
            yield (
                f"| {size} | {self.western[size]:,} | {self.refused[size]:,} "
                f"({100 * self.refused[size] / max(1, self.western[size]):.1f} %) "
                f"| {self.others[size]:,} | {wrong} |"
            )


def texts_by_language() -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    language = ""
    for line in TEXTS.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\[([\w-]+)\]", line):
            language = match[1]
            texts[language] = []
        elif language:
            texts[language].append(_vietnamese(line) if language == "vi" else line)
    return texts


def _vietnamese(text: str) -> str:
    """Return a text as Windows-1258 has it: with the tones as characters of their own."""
    letters = []
    for letter in text:
        try:
            letter.encode("cp1258")
        except UnicodeEncodeError:
            decomposed = unicodedata.normalize("NFD", letter)
            shape = "".join(mark for mark in decomposed[1:] if mark in "\u0302\u0306\u031b")
            tone = "".join(mark for mark in decomposed[1:] if mark not in shape)
            letter = unicodedata.normalize("NFC", decomposed[0] + shape) + tone
        letters.append(letter)
    return "".join(letters)


def make_files(files: int, seed: int) -> Iterator[Made]:
    """Yield so many files of each language, encoding and size; fewer of the long ones."""
    chance = random.Random(seed)
    texts = texts_by_language()
    for language, encodings in ENCODINGS.items():
        for encoding in encodings.split():
            fitting = [text for text in texts[language] if _fits(text, encoding)]
            for size, number in SIZES.items():
                for _ in range(files if number < 20 else max(1, files // 4)):
                    content = _content(chance, fitting, language, number).encode(encoding)
                    if not content.isascii():
                        yield Made(language, encoding, size, content)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _content(chance: random.Random, texts: list[str], language: str, number: int) -> str:
    if not texts:
        return ""
    if number < 0:
        reasons = [_part(chance, chance.choice(texts), language, -number)]
    else:
        reasons = [chance.choice(texts) for _ in range(number)]
    rows = ["Module,Record Id,Lock Id,Reason"]
    for reason in reasons:
        module = chance.choice(("Leads", "Deals", "Contacts", "Accounts"))
        digits = (
            f"58431040004{chance.randrange(10**6):06d},58431040005{chance.randrange(10**6):06d}"
        )
        rows.append(f"{module},{digits},{reason.replace(',', '')}")
    return "\r\n".join(rows) + "\r\n"


def _part(chance: random.Random, text: str, language: str, words: int) -> str:
    """Return some words of a text that are not all ASCII, if it has such."""
    if language in _WITHOUT_SPACES:
        start = chance.randrange(max(1, len(text) - 2 * words))
        return text[start : start + 2 * words]
    split = text.split(" ")
    starts = list(range(max(1, len(split) - words + 1)))
    chance.shuffle(starts)
    parts = [" ".join(split[start : start + words]) for start in starts]
    return next((part for part in parts if not part.isascii()), parts[0])


def read_table(files: int, seed: int) -> Table:
    """Detect the encoding of each file."""
    table = Table(Counter(), Counter(), Counter(), [], [])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        for file in make_files(files, seed):
            path.write_bytes(file.content)
            try:
                detected: Detected | Undecided | None = detect_encoding(path, "auto")
            except UnreadableFile:  # it looks like a mixture of encodings
                detected = None
            (table.western if file.is_western else table.others)[file.size] += 1
            if isinstance(detected, Detected):
                if file.content.decode(detected.encoding) != file.text:
                    table.wrong.append(file)
                elif not file.is_western:
                    # The text is the same in both; nothing else is read without a choice.
                    assert detected.source in (EncodingSource.GUESS, EncodingSource.CONTENT)
            elif file.is_western:
                table.refused[file.size] += 1
                table.refusals.append(file)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20, help="of each language and encoding")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    table = read_table(arguments.files, arguments.seed)
    print("| a file of | Windows-1252 files | refused | other files | wrong |")
    print("|---|---|---|---|---|")
    print(*table.rows(), sep="\n")
    western, refused = sum(table.western.values()), sum(table.refused.values())
    print(
        f"{len(ENCODINGS)} languages, {western + sum(table.others.values()):,} files; refused "
        f"{100 * refused / western:.2f} % of {western:,}; wrong {len(table.wrong)}, "
        f"of these in DOS code pages {sum(one.encoding in DOS for one in table.wrong)}"
    )
    for file in table.wrong:
        print("wrong:", file.language, file.encoding, file.size, repr(file.text[-60:]))
    for file in table.refusals[:20]:
        print("refused:", file.language, file.size, repr(file.text[-50:]))


if __name__ == "__main__":
    main()
