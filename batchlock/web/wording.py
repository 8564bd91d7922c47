"""Messages in the words of the page, for people who have no terminal and no configuration.

Messages are written once, for the command line too: they name options, commands and settings. A
page shows them through `page_words`, so that nothing else has to know which reader it has. What a
person on the page can do is named as the page names it; a setting is named for the administrator.

message ─ PHRASES: known advice ─▶ advice about a setting: "Ask the administrator to …" ─▶ page
"""

import re
from collections.abc import Sequence

_SETTING = (
    r"(?<![\w./@-])(?:zoho|limits|retry|stop|input|results|web|worker|secrets|network|notify)"
    r"\.[a-z][a-z_]+"
)
_NAMES_A_SETTING = re.compile(f"{_SETTING}|the configuration|the setting `")
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
# The first words of advice about the machine of batchlock, or about its configuration.
_VERBS = ("Add|Check|Copy|Correct|Enter|Generate|Install|Lower|Make|Name|Print|Put|Remove|Restore|"
          "Set|Use|Write")  # fmt: skip
_ADVICE = re.compile(rf"(?:^|(?<=[,;:] ))(?:then )?({_VERBS})\b", re.IGNORECASE)

PHRASES: Sequence[tuple[str, str]] = (
    # Signing in: only the administrator has the terminal for it.
    (
        r"or sign in as another user with `[^`]*`",
        "or ask the administrator to sign batchlock in as another user",
    ),
    (
        r"Run `batchlock login`, as a user of this org,",
        "Ask the administrator to sign batchlock in again, as a user of this org,",
    ),
    (
        r"Run `batchlock login` and generate the code with",
        "Ask the administrator to sign batchlock in again with",
    ),
    (
        r"Run `batchlock login` to get a new one",
        "Ask the administrator to sign batchlock in again",
    ),
    (
        r"Sign in to the right org with `batchlock login`, or correct",
        "Ask the administrator to sign batchlock in to the right org, or to correct",
    ),
    (
        r"run `batchlock login` for the org that is meant",
        "ask the administrator to sign batchlock in to the org that is meant",
    ),
    (r"(?:and|then|or) run `batchlock login`(?: again)?", "and sign batchlock in again"),
    # What people do again after a while.
    (
        r"Check this machine's network connection, then run the same command again",
        (
            "Ask the administrator to check the network connection of batchlock, then resume or "
            "retry the run"
        ),
    ),
    (r"Run the same command again later", "Resume or retry the run later"),
    (r"run the same command again", "resume or retry the run"),
    (r"the refused rows are sent again by `retry`", "a retry sends the refused rows again"),
    (r"Resume it first: .*", "Resume it first."),
    (r"Write it again with: .*", "Download it again."),
    # Choices that the page offers too.
    (r"run the file with --change-reason", "give the row the action update"),
    (r"--fresh sends every row", '"Send all again" sends every row'),
    (r"; with --fresh every row goes out again", "; every row goes out again"),
    (
        r"If the letters of the samples are right, --encoding .*",
        "If a letter of the samples is wrong, choose the encoding below.",
    ),
    (r"add --column lock_id=.*", "choose that column as the lock id below."),
    (r"use --visible-only, or", 'choose "Leave out hidden rows" below, or'),
    (r", (?:or )?name (?:it|one|the right one) with --sheet[^.]*", ", choose it below"),
    (r"Name (?:it|one|the right one) with --sheet[^.]*", "Choose it below"),
    (r"Leave --sheet out", "Choose no sheet"),
    (r"Name the file( or the sheet)? with the table", "Upload the file with the table"),
    (
        r"then the command says the action, and `batchlock run` updates",
        "then the action that is chosen for all rows holds",
    ),
    (r"`batchlock ([^`]*)` is for (.*?) only, but", r"\1 was chosen for all rows, but"),
    (r"Use `batchlock run` for a file with different actions", "Choose no action for all rows"),
    (r"Use `[^`]*` for this file; or add", "Add"),
    (r"Use `[^`]*` if that is meant", "Undo that run if that is meant"),
    (r"are done by a command with", "were done by a run with"),
    (
        r"Retry that one with `[^`]*`, or run the file again",
        "Open that one in the history and retry it, or upload the file again",
    ),
    (r"Run `[^`]*` with the same modules again", "Search the same modules again"),
    (
        r"Name a run that has changed locks; `[^`]*` lists them",
        "Open a run that has changed locks; the history lists them",
    ),
    (
        r"`batchlock runs` lists the ids; the beginning of one is enough",
        "The history lists the runs",
    ),
    (
        r"Name its org with --org, or its configuration with --config",
        "Open it on the pages of its org",
    ),
    (r"Add --yes if that is meant", "Type the number of records if that is meant"),
    (
        r"Correct the row and run the corrected file",
        "Correct the row and upload the corrected file",
    ),
    (r"that --encoding or input\.encoding names", "that was chosen"),
    (r"Name another, or leave it out", "Choose another one"),
    (r"which --delimiter or input\.delimiter names", "which input.delimiter names"),
    (r"Name that one, or leave it out", "Ask the administrator to correct input.delimiter"),
    (r"--reason: an unlock has no reason", "An unlock has no reason"),
    (r"Type one, or leave the option out", "Type one, or choose none"),
    (r"Leave the option out", "Choose none"),
    (r"Leave --\S+ out, or", "Choose none for all rows, or"),
    (r"--(\S+) gives one value for all rows", r"One \1 is chosen for all rows"),
    (r"--(\S+): the value is blank", r"The \1 for all rows is blank"),
    (
        r"Run again with the option of the line that reads right",
        "Choose the line below that reads right",
    ),
    (r"--all searches every module, and the command names", "Every module is chosen, and also"),
    (r"--view names a list in Zoho and --from a file", "A list in Zoho and a file are chosen"),
    (r"--all needs the modules", "A search of every module needs the modules"),
    (r", such as `batchlock locks ([^`]*)`", r", such as \1"),
    (r", and --output names a file", ", and the results are a file"),
    (r"Add a name to it, such as .*", "Ask the administrator to correct results.directory."),
    # Results go to the browser here, so their place concerns the administrator alone.
    (
        r"Make room there or name another file with --output",
        "Ask the administrator to make room there or to change results.directory",
    ),
    (
        r"Name another file with --output, or add --overwrite to replace it",
        "Ask the administrator to move that file away",
    ),
    # Settings.
    (
        (
            r"(?:If it is a custom module of your org|find the custom module there and), "
            r"?name its API name under input\.custom_modules in the configuration"
        ),
        (
            "If it is a custom module of your org, ask the administrator to add its API name to "
            "input.custom_modules"
        ),
    ),
    (
        (
            r"find the custom module there and name its API name under input\.custom_modules in "
            r"the configuration"
        ),
        (
            "find the custom module there, and ask the administrator to add its API name to "
            "input.custom_modules"
        ),
    ),
    (r"\bset results\.previous_reason", "ask the administrator to set results.previous_reason"),
    (
        r", and zoho\.api_version in the configuration",
        ", and ask the administrator to check zoho.api_version",
    ),
    (rf"\(({_SETTING})\)", r"(the administrator can change \1)"),
    # The secrets of the orgs.
    (r"Enter the secrets again with `[^`]*`", "Ask the administrator to enter the secrets again"),
    (
        r"(Restore|Add) that (file|key)([^.`]*), or enter the secrets again with `[^`]*`",
        r"Ask the administrator for that \2\3, or to enter the secrets again",
    ),
    (
        r"Print a new one with `[^`]*`, or correct it",
        "Ask the administrator to print a new one, or to correct it",
    ),
    (
        r"Generate a new one at (\S+) and run `batchlock login` again",
        r"Ask the administrator to generate a new one at \1 and to sign batchlock in with it",
    ),
    # The places of files, and the processes, are those of the server.
    (r", process \d+", ""),
    (
        (
            r"(?<![\w/:.])/(?:home|root|tmp|var|srv|opt|mnt|usr|data|Users|private)/(?:[^\s/]+/)*"
            r"([^\s/,;:]+)"
        ),
        r"\1",
    ),
    (r"\b[A-Za-z]:\\(?:[^\\\s]+\\)*([^\\\s,;:]+)", r"\1"),
    # Commands that only the administrator can type.
    (r" (?:again )?with `batchlock [^`]*`", ""),
    (r"`batchlock [^`]*`", "batchlock"),
)
"""What the page says in place of other words, in this order: regular expressions and templates."""

_PHRASES = tuple((re.compile(pattern), words) for pattern, words in PHRASES)
# Most messages have nothing of a terminal, and a page shows hundreds.
_SUSPICIOUS = re.compile(
    r"`|--[a-z{]|command|configuration|leave it out|the option|run the corrected file"
    rf"|Resume it first|again with:|Add a name to it|, process|Name the file|{_SETTING}"
    # Paths of the server.
    r"|(?<!\S)/|:\\"
)


def page_words(message: str) -> str:
    """Return a message of this program as the page says it; other texts stay as they are."""
    if not _SUSPICIOUS.search(message):
        return message
    for pattern, words in _PHRASES:
        message = pattern.sub(words, message)
    sentences = [_addressed(sentence) for sentence in _SENTENCE_ENDS.split(message)]
    message = " ".join(sentences).replace("`", "")
    is_open = _NAMES_A_SETTING.search(message) and "administrator" not in message
    return f"{message} Ask the administrator." if is_open else message


def _addressed(sentence: str) -> str:
    """Return a sentence with its advice about a setting addressed to the administrator."""
    if "administrator" in sentence or not _NAMES_A_SETTING.search(sentence):
        return sentence
    advice = _ADVICE.search(sentence)
    if advice is None:
        return sentence
    ask = "Ask" if advice.start() == 0 else "ask"
    verb = advice[1].lower()
    return (
        f"{sentence[: advice.start()]}{ask} the administrator to {verb}{sentence[advice.end() :]}"
    )
