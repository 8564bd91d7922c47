"""Which passwords are refused when they are set."""

import re
from typing import NamedTuple

from batchlock.web.auth.passwords import MAX_LENGTH, MIN_LENGTH
from batchlock.web.translation import gettext as _

# zxcvbn's scale from 0 to 4. 3: more than 10 ** 8 guesses, for somebody who tries leaked passwords,
# words, names, dates and patterns first.
_LOWEST_SCORE = 3
# zxcvbn takes more than proportional time; whatever follows makes a password only stronger.
_EXAMINED_LENGTH = 72
# What people think of first when they are asked for a password of this page.
_OWN_WORDS = ("batchlock", "zoho", "crm")


class Strength(NamedTuple):
    """How hard a password is to guess."""

    score: int
    """zxcvbn's, from 0 to 4; at most 2 for a password that is refused."""
    reason: str
    """Why a person may not have it, as a sentence; empty when they may."""


def weakness(password: str, name: str) -> str:
    """Return why a person may not have a password, as a sentence; empty when they may.

    It takes some hundredths of a second.
    """
    return strength_of(password, name).reason


def strength_of(password: str, name: str) -> Strength:
    """Return how strong a password of a person is; it takes some hundredths of a second."""
    from zxcvbn import zxcvbn

    own_words = [name, *name.split(), *_OWN_WORDS]
    examined = password[:_EXAMINED_LENGTH]
    score = zxcvbn(examined, user_inputs=own_words)["score"] if examined else 0  # "" fails in it
    reason = _refusal(password, score)
    return Strength(min(score, _LOWEST_SCORE - 1) if reason else score, reason)


def _refusal(password: str, score: int) -> str:
    # A row of spaces counts as one; the password itself stays as it was typed.
    if len(re.sub(" +", " ", password)) < MIN_LENGTH:
        return _(
            "A password has at least %(count)s characters. Type a longer one.", count=MIN_LENGTH
        )
    if len(password) > MAX_LENGTH:
        return _(
            "A password has at most %(count)s characters. Type a shorter one.", count=MAX_LENGTH
        )
    if score < _LOWEST_SCORE:
        return _(
            "This password is in a list of leaked ones, or easy to guess. Type another one, such "
            "as four words that have nothing to do with each other."
        )
    return ""
