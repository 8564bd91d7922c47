"""The languages of the page: which one a request gets, and its texts.

English stands in the templates and in the modules of `web`, marked with `_`, `ngettext`, `N_` or
`{% trans %}`. `locale/page.pot` lists all these texts (tools/make_texts.py writes it). A language
is one file made from it, `locale/<code>.po`, or such a file in the folder `web.translations`.

Accept-Language ─ language_of ─▶ ContextVar of the request ─▶ gettext, ngettext ─▶ page

Messages that the command line shows too (problems of rows, errors of a run) are not translated.
"""

import gettext as standard
import io
import re
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal
from markupsafe import Markup

from batchlock.core.errors import UsageError

ENGLISH = "en"
_FOLDER = Path(__file__).parent / "locale"
# As in Accept-Language: "de-CH", then perhaps ";q=0.8".
_LANGUAGE = re.compile(
    r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.\d*)?))?"
)
# Nobody reads more languages; the header is from anybody.
_MAX_LANGUAGES = 10


class Translation:
    """The texts and the numbers of one language."""

    def __init__(self, language: str, texts: standard.NullTranslations) -> None:
        """`language` is the code as in a file name: `de` or `pt_BR`."""
        self.language = language
        self.texts = texts
        self._locale = Locale.parse(language)

    @property
    def html_language(self) -> str:
        """The code as HTML and HTTP write it, such as `pt-BR`."""
        return self.language.replace("_", "-")

    def number(self, number: int) -> str:
        """Return a whole number with its digits in groups."""
        if self.language == ENGLISH:  # format_decimal takes ten times as long
            return f"{number:,}"
        return format_decimal(number, locale=self._locale)


_ENGLISH = Translation(ENGLISH, standard.NullTranslations())
_CURRENT: ContextVar[Translation] = ContextVar("translation", default=_ENGLISH)


def current_translation() -> Translation:
    """Return the translation of the present request; English outside of a request."""
    return _CURRENT.get()


def N_(message: str) -> str:  # noqa: N802  # the usual name
    """Return a text as it is: it is marked for the translators here, and translated elsewhere.

    For constants, which exist before there is a request.
    """
    return message


def gettext(message: str, /, **variables: object) -> str:
    """Return a text in the language of the request.

    `%(name)s` in it is replaced by the value of `name`, and `%%` by `%`.
    """
    return _CURRENT.get().texts.gettext(message) % variables


def ngettext(singular: str, plural: str, number: int, /, **variables: object) -> str:
    """Return the text for a number of things; `%(num)s` is that number in groups of digits."""
    translation = _CURRENT.get()
    text = translation.texts.ngettext(singular, plural, number)
    return text % {"num": translation.number(number), **variables}


def markup_gettext(message: str, /, **variables: object) -> Markup:
    """Return the HTML of a text, as `gettext` does; values that are no HTML are escaped."""
    return _html(_CURRENT.get().texts.gettext(message)) % variables


def markup_ngettext(singular: str, plural: str, number: int, /, **variables: object) -> Markup:
    """Return the HTML of the text for a number of things, as `ngettext` does."""
    translation = _CURRENT.get()
    html = _html(translation.texts.ngettext(singular, plural, number))
    return html % {"num": translation.number(number), **variables}


def _html(text: str) -> Markup:
    """Return a text as HTML; without tags, it may also stand in an attribute."""
    # Its tags are trusted: it is part of the program, or the administrator has installed it.
    return Markup(text if "<" in text else text.replace('"', "&#34;"))  # noqa: S704


def read_translations(folder: Path | None = None) -> Mapping[str, Translation]:
    """Return the translations of the program, and those in a folder, by language code.

    Raises UsageError when the folder or a file in it cannot be used.
    """
    translations = {ENGLISH: _ENGLISH}
    if folder is not None and not folder.is_dir():
        raise UsageError(
            f"web.translations: there is no folder {folder}. Name one with files such as de.po."
        )
    for source in (_FOLDER, folder) if folder is not None else (_FOLDER,):
        for path in sorted(source.glob("*.po")):
            translations[path.stem] = _read(path)
    return translations


def _read(path: Path) -> Translation:
    try:
        locale = Locale.parse(path.stem)
    except (UnknownLocaleError, ValueError):
        raise UsageError(
            f"{path}: {path.stem} is no code of a language. Name the file as in de.po or pt_BR.po."
        ) from None
    try:
        with path.open("rb") as file:
            catalog = read_po(file, locale=locale, abort_invalid=True)
    except (PoFileError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a translation (.po): {error}") from None
    for message, errors in catalog.check():
        raise UsageError(
            f"{path}, line {message.lineno}: {errors[0]}. Use the same %(names)s as the English "
            "text."
        )
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translation(path.stem, standard.GNUTranslations(compiled))


def language_of(accepted: str, translations: Mapping[str, Translation]) -> str:
    """Return the code of the translation that an Accept-Language header prefers (RFC 9110)."""
    preferences: list[tuple[float, str]] = []
    for part in accepted.split(",", _MAX_LANGUAGES)[:_MAX_LANGUAGES]:
        if match := _LANGUAGE.fullmatch(part):
            quality = 1.0 if match[2] is None else float(match[2])
            if quality > 0:
                preferences.append((quality, match[1].lower()))
    codes = {code.lower().replace("_", "-"): code for code in translations}
    for _, language in sorted(preferences, key=lambda preference: -preference[0]):
        parts = language.split("-")
        # zh-hans-cn, zh-hans, zh; then any kind of Chinese (RFC 4647, section 3.4).
        for length in range(len(parts), 0, -1):
            if code := codes.get("-".join(parts[:length])):
                return code
        for name, code in codes.items():
            if name.split("-")[0] == parts[0]:
                return code
    return ENGLISH


def translated(translations: Mapping[str, Translation]) -> Middleware:
    """Return the middleware that gives each request the language of its browser."""

    @web.middleware
    async def choose_language(request: web.Request, handler: Handler) -> web.StreamResponse:
        language = language_of(request.headers.get("Accept-Language", ""), translations)
        token = _CURRENT.set(translations[language])
        try:
            return await handler(request)
        finally:
            _CURRENT.reset(token)

    return choose_language
