"""The words of notices: titles and digests for people, without ids and reasons of records."""

from pathlib import Path

from batchlock.core.errors import Stopped
from batchlock.core.night import NightDigest
from batchlock.core.redaction import without_record_data
from batchlock.core.results import Cause, Result, Summary
from batchlock.notify.notice import Notice, NoticeKind

_ENDS = {
    0: "done",
    1: "unexpected error",
    2: "not begun: something is set wrongly",
    3: "some rows were not updated",
    4: "the file cannot be read",
    5: "the sign-in was refused",
    6: "stopped early",
    7: "another run is at work",
}
_INTERRUPTED = "interrupted"

# Rows that another session of the run leaves as they are.
_NOT_DONE = (Result.REJECTED, Result.FAILED, Result.INVALID)


def end_in_words(exit_code: int) -> str:
    """Return how a command ended, for a title."""
    return _ENDS.get(exit_code, _INTERRUPTED)


def start_notice(command: str, *, org: str, environment: str, file: str | None = None) -> Notice:
    """Return the notice that a command has begun."""
    title = _title(command, org, environment, file, "begun")
    return Notice(
        kind=NoticeKind.START,
        command=command,
        org=org,
        environment=environment,
        title=title,
        text=f"`batchlock {command}` has begun.",
        file=file,
    )


def end_notice(
    command: str,
    *,
    org: str,
    environment: str,
    exit_code: int,
    seconds: float,
    message: str = "",
    file: str | None = None,
    summary: Summary | None = None,
    results: Path | None = None,
    needs_person: bool | None = None,
) -> Notice:
    """Return the notice that a command or a run has ended.

    With a `summary` its digest is the text, else `message`, a sentence. `results` is attached to
    messages. `needs_person`, None: as the exit code says; a run that a rule has stopped needs a
    person when rows of it were refused or have failed.
    """
    if summary is not None:
        file = Path(summary.file).name
        if needs_person is None and exit_code == Stopped.exit_code:
            needs_person = any(summary.counts.get(result) for result in _NOT_DONE)
    text = without_record_data(message) if summary is None else digest(summary, results)
    return Notice(
        kind=NoticeKind.END,
        command=command,
        org=org,
        environment=environment,
        title=_title(command, org, environment, file, end_in_words(exit_code)),
        text=f"{text}\nExit code {exit_code}.".strip(),
        run_id=None if summary is None else summary.run_id,
        file=file,
        exit_code=exit_code,
        counts={} if summary is None else summary.counts,
        credits_used=0 if summary is None else summary.credits_used,
        seconds=seconds,
        attachments=() if results is None else (results,),
        needs_person=needs_person,
    )


def night_notice(digest: NightDigest, *, exit_code: int | None, seconds: float) -> Notice:
    """Return the notice that an inbox has taken its files; without an exit code it goes on.

    A person must act when a file needs one, or when the sign-in or a setting has ended the night.
    """
    kind = NoticeKind.PERSON if exit_code is None else NoticeKind.END
    code = digest.exit_code if exit_code is None else exit_code
    lines = [
        line if line.startswith("Results: ") else without_record_data(line)
        for line in digest.text.splitlines()
    ]
    return Notice(
        kind=kind,
        command="inbox",
        org=digest.org,
        environment=digest.environment,
        title=_title("inbox", digest.org, digest.environment, digest.folder.name, _state(digest)),
        text="\n".join([*lines, f"Exit code {code}."]),
        exit_code=exit_code,
        counts=digest.counts,
        credits_used=digest.credits_used,
        seconds=seconds,
        attachments=digest.results,
        needs_person=digest.needs_person,
    )


def _state(digest: NightDigest) -> str:
    files = len(digest.need_person)
    if files:
        return f"{files:,} {'file needs' if files == 1 else 'files need'} a person"
    return end_in_words(digest.exit_code)


def person_notice(
    command: str,
    *,
    org: str,
    environment: str,
    what: str,
    text: str,
    file: str | None = None,
    run_id: str | None = None,
) -> Notice:
    """Return the notice that something waits for a person: `what` in a few words, then a text."""
    return Notice(
        kind=NoticeKind.PERSON,
        command=command,
        org=org,
        environment=environment,
        title=_title(command, org, environment, file, what),
        text=text,
        file=file,
        run_id=run_id,
    )


def test_notice(*, org: str, environment: str) -> Notice:
    """Return a notice with which a person tries whether notices arrive."""
    return Notice(
        kind=NoticeKind.TEST,
        command="doctor",
        org=org,
        environment=environment,
        title=_title("doctor", org, environment, None, "a test"),
        text="This is a test of the notices of batchlock. Nothing has happened.",
    )


def digest(summary: Summary, results: Path | None) -> str:
    """Return what became of a run: its sentence, its causes by row numbers, and what to do."""
    parts = [without_record_data(summary.sentence)]
    parts += [_cause_text(cause) for cause in summary.causes]
    last = [f"Run {summary.run_id}, {summary.credits_used:,} credits."]
    if results is not None:
        last.append(f"Results: {results}")
    if summary.resume is not None:
        last.append(f"Resume it with: {summary.resume}")
    return "\n\n".join([*parts, "\n".join(last)])


def _cause_text(cause: Cause) -> str:
    head = cause.heading
    # The message of an invalid row quotes its cell; the code says the same without it.
    if cause.message and cause.result is not Result.INVALID:
        head += f": {without_record_data(cause.message)}"
    lines = [head, cause.row_numbers]
    if cause.remedy:
        lines.append(without_record_data(cause.remedy))
    return "\n".join(lines)


def _title(command: str, org: str, environment: str, file: str | None, state: str) -> str:
    where = org if environment == "production" else f"{org} ({environment})"
    subject = command if file is None else f"{command} {file}"
    return f"batchlock {where}: {subject}: {state}"
