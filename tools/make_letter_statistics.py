"""Make batchlock/plan/read/letter_statistics.dat from word lists and translations.

Needs the packages that `SOURCES` names, installed beside each other, and polib and babel:

    python tools/make_letter_statistics.py SITE_PACKAGES

Trigrams of letters are counted for languages with an alphabet, single characters for the others.
A word of a list counts with the square root of its frequency: with the frequency itself, a
hundred small words would decide, and with 1 the rare words.
"""

import math
import re
import sys
import unicodedata
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import babel
import polib
import wordfreq

DATA = Path(__file__).parents[1] / "batchlock" / "plan" / "read" / "letter_statistics.dat"
SOURCES = """\
Counts of letters in many languages, made by tools/make_letter_statistics.py.
Sources: the word lists of wordfreq 3.1 by Robyn Speer (CC BY-SA 4.0), translations of Django,
Wagtail, django CMS and django-oscar (BSD) and django-allauth (MIT), names of CLDR by Babel
(Unicode License 3). The counts are available under CC BY-SA 4.0.
"""
ALPHABETS = [
    "en", "fr", "de", "es", "pt", "it", "nl", "sv", "da", "nb", "fi", "is", "ca", "gl", "eu", "ga",
    "sq", "et", "pl", "cs", "sk", "hu", "ro", "sl", "hr", "ru", "uk", "be", "bg", "sr", "mk",
    "el", "tr", "he", "ar", "fa", "lt", "lv", "vi",
]  # fmt: skip
CHARACTERS = ["zh_hans", "zh_hant", "ja", "ko", "th"]
LOCALES = {
    "zh_Hans": "zh_hans", "zh_Hant": "zh_hant", "zh_CN": "zh_hans", "zh_TW": "zh_hant",
    "no": "nb", "sr_Latn": "hr", "bs": "hr",
}  # fmt: skip
WORD_LISTS = {"hr": "sh", "zh_hans": "zh"}
# How many trigrams of a language are kept, the most frequent first: of those with a letter beyond
# ASCII, which tell readings apart, and of the others, which only tell languages apart.
KEPT = {False: 4000, True: 2500}
KEPT_CHARACTERS = 3000
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
PLACEHOLDERS = re.compile(r"%\(\w+\)\w|%\w|\{[^}]*\}|<[^>]+>|&\w+;|https?:\S+")


def translations(packages: Path) -> dict[str, list[str]]:
    """Return the texts of all message files and of CLDR, by language."""
    texts: dict[str, set[str]] = defaultdict(set)
    for path in packages.glob("**/LC_MESSAGES/*.mo"):
        locale = path.parts[-3]
        language = LOCALES.get(locale, locale.partition("_")[0])
        for entry in polib.mofile(path):
            texts["en"].add(PLACEHOLDERS.sub(" ", entry.msgid))
            for text in [entry.msgstr] if entry.msgstr else entry.msgstr_plural.values():
                if text and text != entry.msgid:
                    texts[language].add(PLACEHOLDERS.sub(" ", text))
    for language in (*ALPHABETS, *CHARACTERS):
        locale = babel.Locale.parse(language.replace("hans", "Hans").replace("hant", "Hant"))
        for names in (locale.territories, locale.languages, locale.currencies):
            texts[language].update(map(str, names.values()))
    return {language: sorted(found) for language, found in texts.items()}


def as_saved(text: str, language: str) -> str:
    """Return a text in the letters that the language's own code pages have."""
    text = unicodedata.normalize("NFC", text).replace("İ", "i").lower()
    if language == "ro":  # a cedilla for a comma below
        return text.replace("ș", "ş").replace("ț", "ţ")
    if language == "fa":
        return text.replace("ی", "ي")
    return "".join(map(vietnamese_letter, text)) if language == "vi" else text


def vietnamese_letter(letter: str) -> str:
    """Return a letter as Windows-1258 has it: the tone is a character of its own."""
    try:
        letter.encode("cp1258")
    except UnicodeEncodeError:
        base, *marks = unicodedata.normalize("NFD", letter)
        shape = "".join(mark for mark in marks if mark in "\u0302\u0306\u031b")
        tone = "".join(mark for mark in marks if mark not in shape)
        return unicodedata.normalize("NFC", base + shape) + tone
    return letter


def weighted_words(language: str, texts: list[str]) -> Counter[str]:
    """Return the words of a language with their weights."""
    words: Counter[str] = Counter()
    for text in texts:
        words.update(WORD.findall(as_saved(text, language)))
    name = WORD_LISTS.get(language, language)
    for size in ("large", "small"):
        if name in wordfreq.available_languages(size):
            for word, frequency in wordfreq.get_frequency_dict(name, size).items():
                if WORD.fullmatch(word) and (weight := (frequency * 1e8) ** 0.5 / 10) >= 0.3:
                    words[as_saved(word, language)] += weight
            break
    return words


def trigrams(words: Counter[str]) -> Counter[str]:
    """Return the trigrams of the words, each word with a space on both sides."""
    counts: Counter[str] = Counter()
    for word, weight in words.items():
        padded = f"  {word.replace('’', chr(39))} "
        for i in range(len(padded) - 2):
            counts[padded[i : i + 3]] += weight
    return counts


def kept(counts: Counter[str]) -> dict[str, float]:
    """Return the most frequent trigrams."""
    result: dict[str, float] = {}
    for ascii_only, number in KEPT.items():
        chosen = Counter({k: v for k, v in counts.items() if k.isascii() == ascii_only})
        result.update(chosen.most_common(number))
    return {k: v for k, v in result.items() if v >= 1}


def levels(counts: dict[str, float]) -> str:
    """Return lines of a level (twice the binary logarithm of the count) and what has it."""
    by_level: dict[int, list[str]] = defaultdict(list)
    for text, count in counts.items():
        by_level[max(0, round(2 * math.log2(count)))].append(text)
    return "".join(f"{level}\t{''.join(sorted(by_level[level]))}\n" for level in sorted(by_level))


def main() -> None:
    """Write the data file."""
    texts = translations(Path(sys.argv[1]))
    body = ""
    for language in ALPHABETS:
        counts = trigrams(weighted_words(language, texts[language]))
        body += f"[{language}]\n{levels(kept(counts))}"
        print(language, len(counts), round(sum(counts.values())))
    for language in CHARACTERS:
        characters: Counter[str] = Counter()
        for word, weight in weighted_words(language, texts[language]).items():
            for character in word:
                if not character.isascii():
                    characters[character] += weight
        body += f"[{language}]\n{levels(dict(characters.most_common(KEPT_CHARACTERS)))}"
        print(language, len(characters), round(sum(characters.values())))
    DATA.write_bytes(SOURCES.encode() + b"\n" + zlib.compress(body.encode(), 9))
    print(DATA.stat().st_size)


main()
