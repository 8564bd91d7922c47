"""Split a word into letters and symbols, and say how unusual the symbols are where they stand."""

import unicodedata
from functools import lru_cache

# Capitals after small letters, and letters of two scripts in one word.
_CAPITAL_INSIDE = 8.0
_TWO_SCRIPTS = 12.0


@lru_cache(1 << 16)
def word_parts(text: str, before: str, after: str) -> tuple[tuple[str, ...], float]:
    """Return the parts of a text that are letters, in small letters, and what the rest costs."""
    cost = 0.0
    parts: list[str] = []
    current = ""
    for i, character in enumerate(text):
        left = text[i - 1] if i else before
        right = text[i + 1] if i + 1 < len(text) else after
        if (
            (character.isalpha() and not _is_sign(character, left, right))
            or (current and unicodedata.combining(character))
            or (character == "’" and current and right.isalpha())
        ):
            current += "'" if character == "’" else character
            continue
        if current:
            parts.append(current)
            current = ""
        if not character.isascii():
            cost += _symbol_cost(character, left, right)
    if current:
        parts.append(current)
    small_parts = []
    for part in parts:
        small = part.replace("İ", "i").lower()  # lower() makes two characters of a Turkish İ
        if small[1:] != part[1:] and part != part.upper():
            cost += _CAPITAL_INSIDE
        cost += _TWO_SCRIPTS * (len({_script(letter) for letter in part if letter.isalpha()}) - 1)
        small_parts.append(small)
    return tuple(small_parts), cost


def _is_sign(letter: str, left: str, right: str) -> bool:
    """Tell whether a letter is none: ordinals, the diameter in `Ø 5` and the C of `25 °C`."""
    if letter in "ªº":
        return True
    if left.isalpha() or right.isalpha():
        return False
    return letter == "Ø" or (letter in "CF" and left == "°")


# What a symbol costs where it usually stands, and where it does not. In a text, 1 of 100 to 1 of
# 1,000 characters is one of them, and where they do not belong next to none.
_MISPLACED = 14.0
_OPENING = "“‘„‚«‹¿¡"
_CLOSING = "”’»›"


def _symbol_cost(character: str, left: str, right: str) -> float:
    between_words = not (left.isalpha() or right.isalpha())
    if character == "\u00a0":
        # á in DOS; French and numbers have a no-break space beside something that is no letter.
        return 9.0 if left.isalpha() and right.isalpha() else 3.0
    if character == "·" and left in "lL" and right in "lL":  # Catalan
        return 3.0
    if character in _OPENING:
        # ¿ and ¡ begin sentences; in ISO 8859-2 and the Mac they are ż and a degree sign.
        usual = 9.0 if character == "‹" or (character in "¿¡" and right.islower()) else 5.0
        return _MISPLACED if left.isalnum() else usual
    if character == "’" and left == " " and right.isalpha():
        return 6.0  # Afrikaans 'n, Dutch 's and English 'til begin so
    if character in _CLOSING:
        return _MISPLACED if right.isalnum() or left == " " else 5.0
    if character == "…":
        return 8.0 if left.isalnum() else 10.0  # à in DOS
    if character in "–—":
        if left.isalpha() != right.isalpha():
            return _MISPLACED
        return 11.0 if left.isalpha() else 4.0
    if character in "°ºª":
        numbered = left.isdigit() or left in "NnMm" or (left == " " and right in "CF")
        return 5.0 if numbered else _MISPLACED
    if character in "Ø×":
        return 5.0
    if character in "€£":
        return 6.0 if between_words else _MISPLACED
    if character in "™®":
        return 7.0
    if character in "§©·•²³±½¼¾µ№":
        return 8.0 if between_words else _MISPLACED
    return 12.0 if character in "´`¨^" else 16.0


def _script(letter: str) -> str:
    code = ord(letter)
    if code < 0x370 or 0x1E00 <= code < 0x1F00:
        return "Latin"
    bounds = ((0x400, "Greek"), (0x530, "Cyrillic"), (0x600, "Hebrew"), (0x700, "Arabic"))
    return next((name for bound, name in bounds if code < bound), "other")
