"""Read a text in every likely encoding, and say how likely each reading is.

The rule by which a text is taken for Windows-1252:

1. Only words with a byte beyond ASCII can tell encodings apart; the other words of their lines
   tell which language it is.
2. Each such word is decoded in each of `CANDIDATES`. An encoding in which any of them cannot be
   decoded, or gives control characters, is out.
3. A reading of a word is as likely as its letters are in a language of that encoding's region:
   the logarithm of the probability of its trigrams (`letter_statistics`). Symbols, capitals in
   the middle of a word and two scripts in one word each cost a fixed amount, because a wrong
   encoding gives such things often.
4. The best language for the whole text counts; a single word in another language of the region
   costs `_OTHER_LANGUAGE` at most, since names and quotations are common.
5. Encodings of older systems cost `Candidate.cost` more: they are rarer than those of Windows.
6. Windows-1252 is taken when it is more likely than every reading with other letters by `MARGIN`.
   Readings with the same letters count as one: the choice between them changes nothing.
7. And when no single line is likelier in another encoding by as much: such a line comes from
   another file.
8. All else is for a person to decide.

Why not a library: detectors such as charset-normalizer return the best of their guesses without
the distance to the next, and are wrong in some of the short texts that lock reasons are.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from batchlock.plan.read.candidates import (
    CANDIDATES,
    UTF_8,
    WESTERN,
    WITHOUT_ALPHABET,
    Candidate,
)
from batchlock.plan.read.letter_statistics import alphabet, characters
from batchlock.plan.read.word_parts import word_parts

# How much likelier Windows-1252 has to be, as a natural logarithm: 3,000 times. Chosen with
# tests/support/encoding_table.py: the likeliest wrong reading of its 10,000 files stays 2.5 below.
MARGIN = 8.0
# The cost of a word in another language than the rest, and of an English word in any text.
_OTHER_LANGUAGE = 6.0
_ENGLISH_WORD = 3.0
# The cost of a text in another script beside words in ASCII, and of each word in another script
# next to an ASCII word in small letters, which is seldom a name.
_OTHER_SCRIPT = 7.0
_SMALL_LATIN_NEIGHBOUR = 3.0
# A reading that is this far behind after the first lines is not compared any further.
_HOPELESS = 80.0
_FIRST_LINES = 40

# A line is looked at again when each of its letters is on average less likely than this: one of 14
# lines of western Europe, and eleven of twelve lines in another encoding.
_UNLIKELY_LETTER = 4.5
# What each character that is valid UTF-8 says for UTF-8: one of eight would be so by chance.
_VALID_PAIR = 2.0


@dataclass(frozen=True, slots=True)
class Word:
    """Bytes between two separators, at least one of them beyond ASCII."""

    content: bytes
    before: str
    """The character on its left; a space at the start of the line."""
    after: str
    beside_small_latin: bool
    """Whether an ASCII word in small letters stands next to it."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """What a line of a file tells about the encoding."""

    words: tuple[Word, ...]
    latin: tuple[str, ...]
    """Its words in ASCII, in small letters."""


# No encoding has these bytes (\x00 to \x3f) as part of a character of several bytes, except
# GB 18030 for characters that are very rare.
_WORD = re.compile(rb"[\x40-\x7e\x80-\xff]*[\x80-\xff][\x40-\x7e\x80-\xff]*")
_LATIN_WORD = re.compile(rb"[A-Za-z]+(?:'[A-Za-z]+)*")
_SMALL_LATIN_BEFORE = re.compile(rb"(?<![^ ,;\t\"])[a-z]{2,} \Z")
_SMALL_LATIN_AFTER = re.compile(rb" [a-z]{2,}(?![^ ,;\t\"\r\n.!?])")


def parse_line(line: bytes) -> TextLine:
    """Return the words of a line; the whole words in ASCII are kept apart."""
    words = []
    for match in _WORD.finditer(line):
        start, end = match.span()
        beside = _SMALL_LATIN_BEFORE.search(line, max(0, start - 20), start)
        words.append(
            Word(
                match[0],
                chr(line[start - 1]) if start else " ",
                chr(line[end]) if end < len(line) else " ",
                bool(beside or _SMALL_LATIN_AFTER.match(line, end)),
            )
        )
    latin = _LATIN_WORD.findall(_WORD.sub(b" ", line))
    return TextLine(tuple(words), tuple(word.decode().lower() for word in latin))


@dataclass(slots=True)
class ScoredReading:
    """How a text reads in one encoding, and how likely that is in each language."""

    candidate: Candidate
    totals: dict[str, float]
    texts: list[str] = field(default_factory=list)
    is_given_up: bool = False
    """Whether it is far behind, and its likelihood may be of the first lines only."""

    @property
    def codec(self) -> str:
        """Python's name of the encoding."""
        return self.candidate.codec

    @property
    def likelihood(self) -> float:
        """The logarithm of the probability, in the likeliest language."""
        return max(self.totals.values())

    @property
    def language(self) -> str:
        """The likeliest language."""
        return max(self.totals, key=self.totals.__getitem__)


def compare(lines: Sequence[TextLine]) -> list[ScoredReading]:
    """Return the possible readings of the lines, the likeliest first.

    Those that were given up after the first lines come last.
    """
    readings = [
        ScoredReading(candidate, dict.fromkeys(candidate.languages, -candidate.cost))
        for candidate in CANDIDATES
    ]
    hopeless: list[ScoredReading] = []
    seen_words: set[Word] = set()
    seen_latin: set[str] = set()
    for block in _blocks(lines):
        words = dict.fromkeys(word for line in block for word in line.words)
        latin = dict.fromkeys(word for line in block for word in line.latin)
        new_words = [word for word in words if word not in seen_words]
        new_latin = [word for word in latin if word not in seen_latin]
        readings = [
            one for one in readings if _extend(one, new_words, new_latin, starts=not seen_latin)
        ]
        seen_words.update(new_words)
        seen_latin.update(new_latin)
        best = max((one.likelihood for one in readings), default=0.0)
        for one in readings:
            one.is_given_up = one.likelihood <= best - _HOPELESS
        hopeless += [one for one in readings if one.is_given_up]
        readings = [one for one in readings if not one.is_given_up]
    return _by_likelihood(readings) + _by_likelihood(hopeless)


def _by_likelihood(readings: Sequence[ScoredReading]) -> list[ScoredReading]:
    return sorted(readings, key=lambda reading: -reading.likelihood)


def likelihood_in(candidate: Candidate, lines: Sequence[TextLine]) -> float:
    """Return how likely the lines are in one encoding; minus infinity if they are not in it."""
    reading = ScoredReading(candidate, dict.fromkeys(candidate.languages, -candidate.cost))
    words = dict.fromkeys(word for line in lines for word in line.words)
    latin = dict.fromkeys(word for line in lines for word in line.latin)
    decoded = _extend(reading, words, list(latin), starts=True)
    return reading.likelihood if decoded else -math.inf


def margin(readings: Sequence[ScoredReading], chosen: ScoredReading) -> float:
    """Return how much likelier the letters of a reading are than those of every other one.

    Readings with the same letters count as one: Turkish reads the same in Windows-1252 when it has
    only letters such as ö and ü, and is likelier in Windows-1254. A reading that was given up is
    not likelier than any other, and is no rival of another.
    """
    if chosen.is_given_up:
        return -_HOPELESS
    # Each further line makes every reading less likely, so the likelihood of a reading that was
    # given up cannot be compared with that of one which goes on.
    likelihoods: dict[bool, list[float]] = {True: [], False: []}
    for one in readings:
        if not one.is_given_up:
            likelihoods[one.texts == chosen.texts].append(one.likelihood)
    return max(likelihoods[True]) - max(likelihoods[False], default=-math.inf)


def foreign_line(lines: Sequence[TextLine]) -> tuple[int, Candidate] | None:
    """Return the position of a line that is clearly likelier in another encoding, and that one.

    Only lines with unlikely letters are read in each encoding again: it takes time.
    """
    for position, line in enumerate(lines):
        letters = sum(len(word.content) for word in line.words)
        alone = TextLine(line.words, ())
        if likelihood_in(WESTERN, [alone]) < -_UNLIKELY_LETTER * letters:
            readings = compare([line])
            western = next((one for one in readings if one.candidate is WESTERN), None)
            if western is None or margin(readings, western) < -MARGIN:
                return position, readings[0].candidate
    return None


def fits_utf8_by_chance(lines: Sequence[TextLine]) -> bool:
    """Tell whether a few words that are valid UTF-8 are likelier in another encoding."""
    pairs = sum(
        len([byte for byte in word.content if byte >= 0x80]) // 2
        for word in {word for line in lines for word in line.words}
    )
    best = max(likelihood_in(candidate, lines) for candidate in CANDIDATES)
    return best > likelihood_in(UTF_8, lines) + _VALID_PAIR * pairs


def _blocks(lines: Sequence[TextLine]) -> Iterator[Sequence[TextLine]]:
    yield lines[:_FIRST_LINES]
    if len(lines) > _FIRST_LINES:
        yield lines[_FIRST_LINES:]


def _extend(
    reading: ScoredReading, words: Iterable[Word], latin: Sequence[str], *, starts: bool
) -> bool:
    """Add words to a reading; tell whether all of them can be decoded."""
    candidate, totals = reading.candidate, reading.totals
    english = alphabet("en")
    for text in latin:
        likelihood = english.word(text)
        for language in totals:
            totals[language] += (
                max(alphabet(language).word(text), likelihood - _ENGLISH_WORD)
                if candidate.is_latin
                else likelihood
            )
    if latin and starts and not candidate.is_latin:
        for language in totals:
            totals[language] -= _OTHER_SCRIPT
    for word in words:
        decoded = _decode(candidate.codec, word.content)
        if decoded is None:
            return False
        reading.texts.append(decoded)
        cost = _SMALL_LATIN_NEIGHBOUR if word.beside_small_latin and not candidate.is_latin else 0
        if candidate.languages[0] in WITHOUT_ALPHABET:
            totals[candidate.languages[0]] += _characters(candidate.languages[0], decoded) - cost
            continue
        parts, symbols = word_parts(decoded, word.before, word.after)
        likelihoods = [
            [alphabet(language).word(part) for language in candidate.languages] for part in parts
        ]
        best = [max(one) - _OTHER_LANGUAGE for one in likelihoods]
        if candidate is UTF_8:
            best = [max(one) for one in zip(best, map(_at_least, parts), strict=True)]
        for i, language in enumerate(candidate.languages):
            totals[language] -= symbols + cost
            for values, least in zip(likelihoods, best, strict=True):
                totals[language] += max(values[i], least)
    return True


# Words in Armenian, Syriac, Thaana or N'Ko. One or two letters of them are chance.
_OTHER_ALPHABET = re.compile("[\u0530-\u058f]{3,}|[\u0700-\u085f]{3,}")


def _at_least(part: str) -> float:
    """Return how likely a word of a language without statistics is at least.

    In UTF-8 every language is written, such as Azerbaijani with its ə, and Armenian. The numbers
    are the logarithms of 1 of 20, 50 and 150 letters.
    """
    if _OTHER_ALPHABET.fullmatch(part):
        return -5.0 * len(part)
    beyond = sum(not letter.isascii() for letter in part)
    if beyond == len(part) or max(part) >= "\u0370":  # below are the letters of Latin alphabets
        return -math.inf
    return -3.0 * (len(part) - beyond) - 4.0 * beyond


@lru_cache(1 << 16)
def _decode(codec: str, content: bytes) -> str | None:
    """Return the text, or None when it cannot be decoded or has characters that no text has."""
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        return None
    for character in text:
        code = ord(character)
        # Control characters, and characters for private use.
        if code < 0x20 or 0x7F <= code <= 0x9F or 0xE000 <= code <= 0xF8FF:
            return None
    return text


def _characters(language: str, text: str) -> float:
    counts = characters(language)
    likelihood = 0.0
    previous = ""
    for character in text:
        if character.isascii():
            # Of letters glued to characters: one of 26, and a step from one script to another.
            if character.isalpha():
                likelihood -= math.log(26) + (4 if previous and not previous.isascii() else 0)
        else:
            likelihood += counts.character(character)
            if previous.isascii() and previous.isalpha():
                likelihood -= 8 if previous.islower() else 4  # `IT部` is usual, `Spa邊` is not
            if "\uff61" <= character <= "\uff9f":  # half-width katakana
                likelihood -= 4
        previous = character
    return likelihood
