"""Write batchlock/web/locale/page.pot: every English text of the page, for those who translate it.

    python tools/make_texts.py [--check]

The texts are those that the templates and the modules of `web` mark with `_`, `ngettext`, `N_` and
`{% trans %}`, and the labels that the command line shares. A translator copies the file to
`de.po`, for instance, and fills it. With --check nothing is written, and the exit code is 1 when
the file is not up to date; `tests/web/test_translation.py` checks that, too.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from batchlock.core.messages import FIND_RESULT_LABELS, RESULT_LABELS, RESULT_MEANINGS
from batchlock.web.action_labels import ACTION_LABELS
from batchlock.web.oidc.settings import DEFAULT_LABEL
from batchlock.web.uploads.columns import ENCODINGS

ROOT = Path(__file__).parents[1]
WEB = ROOT / "batchlock" / "web"
FILE = WEB / "locale" / "page.pot"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
JINJA = {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}
SHARED_LABELS = (RESULT_LABELS, FIND_RESULT_LABELS, RESULT_MEANINGS, ACTION_LABELS)
SHARED_TEXTS = (DEFAULT_LABEL, *(encoding.english for encoding in ENCODINGS))
HEADER = """\
# The texts of the page of batchlock. Written by tools/make_texts.py; do not edit.
# Copy this file to <code of the language>.po, and fill each msgstr."""


def texts() -> Catalog:
    """Return all texts, in the order of the files."""
    catalog = Catalog(header_comment=HEADER, project="batchlock", fuzzy=False)
    messages = extract_from_dir(
        WEB, METHODS, {"templates/**.html": JINJA}, comment_tags=("Translators:",)
    )
    for name, _, message, comments, context in sorted(messages, key=lambda one: one[:2]):
        # Without line numbers, a change of code does not change this file.
        catalog.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    for labels in SHARED_LABELS:
        for label in labels.values():
            catalog.add(label)
    for text in SHARED_TEXTS:
        catalog.add(text)
    return catalog


def content() -> str:
    """Return what the file must hold."""
    file = io.BytesIO()
    write_po(file, texts(), width=100, include_lineno=False)
    lines = file.getvalue().decode().splitlines(keepends=True)
    # The date and the version of the generator would change the file without a change of texts.
    changing = ('"POT-Creation-Date', '"Generated-By', '"PO-Revision-Date')
    return "".join(line for line in lines if not line.startswith(changing))


def main() -> int:
    """Write the file, or check it; return the exit code."""
    if "--check" in sys.argv[1:]:
        return int(FILE.read_text(encoding="utf-8") != content())
    FILE.write_text(content(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
