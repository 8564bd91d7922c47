"""Find signs that stand where no text in Windows-1252 has them.

`readings` compares a text with the encodings and languages that it knows. This rule does without
both: German saved in GBK, Danish in HP Roman-8 and Breton in DOS 865 all give such signs. It looks
at the whole file, where `readings` scores a sample of the lines.
"""

import re
from pathlib import Path

_SMALL = rb"a-z\x9a\x9c\x9e\xdf-\xf6\xf8-\xff"
_CAPITAL = rb"A-Z\x8a\x8c\x8e\x9f\xc0-\xd6\xd8-\xde"
_BEYOND_CAPITAL = rb"\x8a\x8c\x8e\x9f\xc0-\xd6\xd8-\xde"
_LETTER = _SMALL + _CAPITAL

_STRANGE = re.compile(
    # Between letters: `hinzuf¨¹gen`, `birleºtir`, `caniatƒd`, `est…v`. Dashes and apostrophes (an
    # acute accent too), the Catalan ·, ®, ©, the no-break space and the soft hyphen stand there.
    rb"(?<=[%(letter)s])[\x80\x82-\x91\x93-\x95\x98\x9b\xa1-\xa8\xab\xac\xaf-\xb3\xb5\xb6\xb8-\xbf]"
    rb"[\x80-\xbf]?(?=[%(small)s])"
    # The en dash, û in DOS, between small letters.
    rb"|(?<=[%(small)s])\x96(?=[%(small)s])"
    # Behind a letter: `ma¤`, `Sofyan¹`, `aldaketak¡K`, and a sign that opens.
    rb"|(?<=[%(letter)s-])[\x82-\x84\x88\x8b\x98\xa1-\xa6\xa8\xac\xaf\xb8\xb9\xbf]"
    # The acute accent at the end of a word, which is no apostrophe there.
    rb"|(?<=[%(small)s])\xb4(?![%(letter)s])"
    # Before a small letter: `£tjefte`, `ªedd-i`. `1ªedición` is a typing error.
    rb"|[\x80\x83\x88\x98\xa2-\xa6\xa8\xac\xaf\xb8-\xba](?=[%(small)s])"
    rb"|(?<![%(letter)s0-9.])\xaa(?=[%(small)s])"
    # What opens a sentence, and no letter behind it: `¡¦`, `¡V ` for an ellipsis and a dash.
    rb"|[\xa1\xbf](?:[\x80-\x84\x86-\x90\x92\x94-\xa0\xa2-\xaa\xac-\xbe\xd7\xf7]|[B-Z](?![%(letter)s]))"
    # `„@„r„„`
    rb"|[\x82\x84](?:[\x80-\x90\x92\x94-\xbf]|[@-Za-z{|}~][\x82\x84])"
    # A capital inside of a word, and two of them before small letters: `hÖjre`, `ÅÅn`. Irish puts
    # h, n or t before a capital vowel: `na hÉireann`. ASCII letters stand so in `JavaScript`.
    rb"|(?<=[%(small)s])(?<![^%(letter)s][hnt](?=[\xc1\xc9\xcd\xd3\xda]))[%(beyond)s]"
    rb"|[%(beyond)s]{2}(?=[%(small)s])"
    # Letters that end no word of western Europe: `Dilkeº`, `Gurmukhî`, and `Kar-ý`.
    rb"|(?<=[aeiou])\xba(?![%(letter)s])|(?<=[%(small)s])\xee(?![%(letter)s])"
    # ñ stands before vowels: the ń of `zakończona` does not.
    rb"|(?<=[%(letter)s])\xf1(?![%(letter)s]|['\x92])|\xf1(?=[b-df-hj-np-tv-z])"
    # ô before g or h: a long o in Baltic.
    rb"|\xf4(?=[gh])"
    # The en dash behind a word: ñ of the Mac in `treiñ emgefre`.
    rb"|(?<=[%(small)s])\x96(?= [%(small)s])"
    # ý, a Turkish i without its dot, ends short words in Icelandic, and not `Kapalý`.
    rb"|(?:(?<![%(letter)s])|(?<=[aeiou][a-z]))\xfd(?![%(letter)s])"
    # The signs of multiplication and division before a small letter.
    rb"|(?<=[%(letter)s])[\xd7\xf7](?=[%(small)s])"
    % {b"letter": _LETTER, b"small": _SMALL, b"beyond": _BEYOND_CAPITAL}
)
# A file is read in pieces of this many bytes, up to the end of a line.
_PIECE = 1 << 20


def has_strange_signs(path: Path) -> bool:
    """Tell whether a file, read as Windows-1252, has a sign where no text has it."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            piece += file.readline(_PIECE)
            if not piece.isascii() and _STRANGE.search(piece):
                return True
    return False
