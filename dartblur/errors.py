"""The two ways in which this program says no: bad usage (exit code 2) and a failure on the way (exit code 1).

Every message is one sentence that says what is wrong, where, and what to do about it. The command line prints it without a traceback.
"""


def printable(text: str) -> str:
    """``text`` for a terminal or a list of lines: what is not printable, or is no text at all, is escaped. File names may hold anything."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text)


class DartblurError(Exception):
    """Something failed while doing what was asked: a corrupt picture, a failed check, a loss that is not finite."""

    exit_code = 1


class UsageError(DartblurError):
    """What was asked cannot be done as asked: a missing folder, an unknown format, an unreadable or impossible parameter."""

    exit_code = 2
