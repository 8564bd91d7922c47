"""The formats of a results workbook, and the writing of text into its cells."""

import re
from typing import Any

from batchlock.core.results import Result
from batchlock.report.cells import MAX_CELL_UNITS, truncated, writable

# Points. Excel's own height for one line of Calibri 11, so that a row with a set height looks like
# its neighbours.
LINE_HEIGHT = 15

# Fill and text of each result. Every pair has a contrast above 4.5 to 1, which WCAG asks for small
# text; the lowest is 5.9.
COLOURS = {
    Result.UPDATED: ("#C6EFCE", "#0B5A1E"),
    Result.LOCKED: ("#C6EFCE", "#0B5A1E"),
    Result.UNLOCKED: ("#C6EFCE", "#0B5A1E"),
    Result.UNCHANGED: ("#C6EFCE", "#0B5A1E"),
    Result.REJECTED: ("#FFC7CE", "#9C0006"),
    Result.FAILED: ("#FFC7CE", "#9C0006"),
    Result.INVALID: ("#FFD9B3", "#7A3E00"),
    Result.DUPLICATE: ("#E4E4E4", "#404040"),
    Result.NOT_SENT: ("#FFF2B3", "#6B5200"),
    Result.UNKNOWN: ("#FFF2B3", "#6B5200"),
}


class Styles:
    """The formats of one workbook."""

    def __init__(self, book: Any) -> None:
        def style(**properties: Any) -> Any:
            return book.add_format({"valign": "top", **properties})

        left = {"align": "left", "indent": 1}
        self.by_result = {
            result: style(bg_color=fill, font_color=text, **left)
            for result, (fill, text) in COLOURS.items()
        }
        fill, text = COLOURS[Result.INVALID]
        self.problem = style(bg_color=fill, font_color=text)
        self.plain = style()
        self.badge = style(align="center")
        # "@" is Excel's text format: an id typed into such a cell keeps all its digits.
        self.text = style(num_format="@")
        self.lines = style(num_format="@", text_wrap=True)
        self.long_number = style(num_format="0")
        self.date = style(num_format="yyyy-mm-dd")
        self.datetime = style(num_format="yyyy-mm-dd hh:mm:ss")
        self.time = style(num_format="hh:mm:ss")
        # The brackets let the hours exceed 24.
        self.span = style(num_format="[h]:mm:ss")
        header: dict[str, Any] = {"bold": True, "font_color": "#FFFFFF"}
        self.header = style(**header, bg_color="#44546A", text_wrap=True)
        self.result_header = style(**header, bg_color="#1F4E79", text_wrap=True)
        self.section_header = style(**header, bg_color="#1F4E79", **left)
        self.section = style(bold=True, font_size=13, font_color="#1F4E79", **left)
        self.label = style(bold=True, **left)
        self.total = style(bold=True, top=1, **left)
        self.total_count = style(bold=True, top=1, num_format="#,##0", align="right", indent=1)
        self.count = style(num_format="#,##0", align="right", indent=1)
        self.value = style(num_format="#,##0", **left)
        self.wrapped = style(text_wrap=True, **left)
        self.command = style(font_name="Consolas", text_wrap=True, bg_color="#F2F2F2", **left)
        sentence = {"bold": True, "font_size": 16, "text_wrap": True, "valign": "vcenter", **left}
        self.good = style(**sentence, bg_color="#C6EFCE", font_color="#0B5A1E")
        self.mixed = style(**sentence, bg_color="#FFF2B3", font_color="#4A3900")


def set_up_print(sheet: Any) -> None:
    """Make a sheet print on A4 landscape, one page wide."""
    sheet.set_landscape()
    sheet.set_paper(9)  # Excel's number for A4
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&F, &A&RPage &P of &N")


def write_text(sheet: Any, row: int, column: int, text: str, style: Any) -> None:
    """Write text as it is, whatever XlsxWriter would otherwise make of it."""
    if not text:
        sheet.write_blank(row, column, None, style)
        return
    if not text.isprintable():
        text = writable(text)
    # A character has one or two UTF-16 units, so only a text longer than half can be too long.
    if len(text) > MAX_CELL_UNITS // 2:
        text = truncated(text)
    if text.startswith("<r>") and text.endswith("</r>"):
        # XlsxWriter takes such a text for its own rich-text markup and copies it unescaped. A rich
        # string of several pieces is escaped, except for `_x0041_`, which Excel would decode, and
        # for CR: hence the cut between `_` and `x`, and no CR.
        pieces = re.split("(?<=^<)|(?<=^<r)|(?<=_)(?=x)", text.replace("\r", ""))
        sheet.write_rich_string(row, column, *pieces, *([style] if style else []))
    else:
        sheet.write_string(row, column, text, style)
