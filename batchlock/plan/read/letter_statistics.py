"""How likely a word is in a language, by counts of its letters.

`letter_statistics.dat` begins with its sources and licences in plain text, then a blank line, then
compressed lines: `[fr]`, then for each level the trigrams that occur 2 to the power of level / 2
times. Languages without an alphabet have single characters instead of trigrams.
"""

import functools
import math
import zlib
from collections import defaultdict
from pathlib import Path

_DATA = Path(__file__).with_name("letter_statistics.dat")
# How many times a context must have been seen for its own counts to weigh as much as those of the
# next shorter context. Word lists give counts in the thousands, so a handful is enough.
_TRUST = 8.0
# A letter that the language does not have: as if it had been seen this often, among as many
# letters as Unicode has in all alphabets that are compared.
_UNSEEN = 0.02
_ALPHABET = 3000
# The same for a character of Chinese, Japanese or Korean.
_CHARACTERS = 9000


class Alphabet:
    """The counts of a language that is written with an alphabet."""

    def __init__(self, trigrams: dict[str, float]) -> None:
        self._trigrams = trigrams
        self._pairs: defaultdict[str, float] = defaultdict(float)
        self._letters: defaultdict[str, float] = defaultdict(float)
        self._before_third: defaultdict[str, float] = defaultdict(float)
        self._before_second: defaultdict[str, float] = defaultdict(float)
        for trigram, count in trigrams.items():
            self._pairs[trigram[1:]] += count
            self._letters[trigram[2]] += count
            self._before_third[trigram[:2]] += count
            self._before_second[trigram[1]] += count
        self._total = sum(self._letters.values())
        self._known: dict[str, float] = {}
        self._words: dict[str, float] = {}

    def word(self, word: str) -> float:
        """Return the natural logarithm of the probability of a word in small letters."""
        likelihood = self._words.get(word)
        if likelihood is None:
            padded = f"  {word} "
            known = self._known
            likelihood = 0.0
            for i in range(len(padded) - 2):
                trigram = padded[i : i + 3]
                value = known.get(trigram)
                if value is None:
                    value = known[trigram] = self._trigram(trigram)
                likelihood += value
            self._words[word] = likelihood
        return likelihood

    def _trigram(self, trigram: str) -> float:
        before, pair, letter = trigram[:2], trigram[1:], trigram[2]
        single = (self._letters.get(letter, 0.0) + _UNSEEN) / (self._total + _UNSEEN * _ALPHABET)
        double = (self._pairs.get(pair, 0.0) + _TRUST * single) / (
            self._before_second.get(pair[0], 0.0) + _TRUST
        )
        return math.log(
            (self._trigrams.get(trigram, 0.0) + _TRUST * double)
            / (self._before_third.get(before, 0.0) + _TRUST)
        )


class Characters:
    """The counts of a language that is written without spaces between words, or in syllables."""

    def __init__(self, counts: dict[str, float]) -> None:
        total = math.log(sum(counts.values()) + _UNSEEN * _CHARACTERS)
        self._known = {
            character: math.log(count + _UNSEEN) - total for character, count in counts.items()
        }
        self._unseen = math.log(_UNSEEN) - total

    def character(self, character: str) -> float:
        """Return the natural logarithm of the probability of a character."""
        return self._known.get(character, self._unseen)


@functools.cache
def _counts() -> dict[str, dict[str, float]]:
    _, _, body = _DATA.read_bytes().partition(b"\n\n")
    languages: dict[str, dict[str, float]] = {}
    for line in zlib.decompress(body).decode().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            size = 1 if name in ("zh_hans", "zh_hant", "ja", "ko", "th") else 3
            counts = languages[name] = {}
        else:
            level, _, texts = line.partition("\t")
            count = 2 ** (int(level) / 2)
            for i in range(0, len(texts), size):
                counts[texts[i : i + size]] = count
    return languages


@functools.cache
def alphabet(language: str) -> Alphabet:
    """Return the counts of a language by its code."""
    return Alphabet(_counts()[language])


@functools.cache
def characters(language: str) -> Characters:
    """Return the counts of Chinese (zh_hans, zh_hant), Japanese, Korean or Thai."""
    return Characters(_counts()[language])
