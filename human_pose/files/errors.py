"""The kinds of errors that commands tell in one line. Imports nothing."""

_NOTHING = object()


class InputError(ValueError):
    """A mistake in what the user gave; the message is one line that names it.

    Libraries speak of arguments by their names, in backquotes where a sentence goes on
    about another one; a command's shell puts its flags in their place.

    Args:
      subject: the whole line, or what breaks the `rule`: an argument or a file.
      rule: what it must be, as a sentence goes on: "must be 0 or more".
      received: what it is; left out where the rule says all.

    Attributes:
      argument: the `subject` of a rule, or None where the line is whole.
    """

    def __init__(
        self, subject: str, rule: str | None = None, received: object = _NOTHING
    ) -> None:
        self.argument = None if rule is None else subject
        line = subject if rule is None else f"{subject} {rule}"
        if received is not _NOTHING:
            line = f"{line}; received {received!r}"
        # Names of files, and what stands in them, may break lines.
        super().__init__("\\n".join(line.splitlines()))


class LostWorker(RuntimeError):
    """One of the processes that work together is gone: all are to be started again.

    Attributes:
      EXIT_CODE: what the process ends with, EX_TEMPFAIL of sysexits.h.
    """

    EXIT_CODE = 75


def one_line(error: BaseException) -> str:
    """What an error says, in one line of letters that can be shown."""
    line = " ".join(str(error).split()) or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in line)
