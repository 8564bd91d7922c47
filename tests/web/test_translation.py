"""The languages of the page: choosing one, reading translations, and the list of all texts."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from batchlock.core.errors import UsageError
from batchlock.web.translation import ENGLISH, language_of, markup_gettext, read_translations

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "batchlock" / "web" / "locale" / "page.pot"
HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"""


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-ch", "de"),
        ("fr, de;q=0.5", "de"),
        ("fr;q=0.9, en;q=0.8, de;q=0.9", "de"),
        ("de;q=0, en", "en"),
        ("pt-BR", "pt_BR"),
        ("pt", "pt_BR"),
        ("pt-PT, de", "pt_BR"),
        ("en-GB, de", "en"),
        ("xx;q=;,,*;q=0.1, de;q=nonsense", "en"),
        ("de" * 100_000, "en"),
    ],
)
def test_a_browser_gets_the_first_of_its_languages_that_there_is(
    tmp_path: Path, accepted: str, language: str
) -> None:
    for code in ("de", "pt_BR"):
        (tmp_path / f"{code}.po").write_text(HEADER, encoding="utf-8")
    assert language_of(accepted, read_translations(tmp_path)) == language


def test_without_a_folder_there_is_english() -> None:
    assert ENGLISH in read_translations()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nonsense.po", HEADER, "nonsense is no code of a language"),
        ("de.po", "msgid without quotation marks", "cannot be read"),
        ("de.po", b'msgid "x"\nmsgstr "\xff"\n', "cannot be read"),
        (
            "de.po",
            HEADER + '\n#, python-format\nmsgid "Row %(row)s"\nmsgstr "Zeile %(zeile)s"\n',
            "line 6",
        ),
    ],
)
def test_a_translation_that_cannot_be_used_is_refused_with_its_file(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    data = content.encode() if isinstance(content, str) else content
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=words) as refusal:
        read_translations(tmp_path)
    assert name in str(refusal.value)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        read_translations(tmp_path / "missing")


def test_the_list_of_texts_is_up_to_date() -> None:
    command = [sys.executable, "tools/make_texts.py", "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0, (
        "Write it again: python tools/make_texts.py"
    )


def test_each_text_can_be_filled() -> None:
    with TEXTS.open("rb") as file:
        catalog = read_po(file)
    for message in catalog:
        texts = message.id if isinstance(message.id, tuple) else (message.id,)
        for text in texts:
            assert isinstance(text, str)
            filled = text % defaultdict(lambda: "value")
            assert "%(" not in filled, text
            # A value without its name would take the dictionary itself.
            assert not re.search(r"(?<!%)(?:%%)*%[^(%]", text), text


def test_a_quotation_mark_of_a_text_ends_no_attribute_and_tags_stay() -> None:
    assert markup_gettext('Save "%(name)s"', name='a"<b>') == "Save &#34;a&#34;&lt;b&gt;&#34;"
    assert markup_gettext("<b>%(name)s</b>", name="<i>") == "<b>&lt;i&gt;</b>"
