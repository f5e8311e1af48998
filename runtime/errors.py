"""The errors that a user can read: one type per kind, each a complete one-line message.

What lives here: the vocabulary shared by every package. What does not: exit codes and printing,
which are the command line's (`cli/errors.py`). An error that is not one of these is our own bug.
"""

from __future__ import annotations


class ToolkitError(Exception):
    """A message a user can act on.

    Args:
        what: the thing that is wrong, one clause, no trailing full stop.
        got: the offending value, shown with `repr` unless it is already a string.
        expected: what would have been accepted.
        where: a file, a line, a config key: the place to look.
        hint: a next step, shown on a line of its own.
    """

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        expected: str | None = None,
        where: object = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.got = got
        self.expected = expected
        self.where = None if where is None else str(where)
        self.hint = hint
        super().__init__(self.one_line())

    def one_line(self) -> str:
        """The message on one line: what, got, expected, where."""
        parts = [self.what]
        if self.got is not None:
            parts.append(f"got {self.got if isinstance(self.got, str) else repr(self.got)}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if self.where is not None:
            parts.append(f"at {self.where}")
        return "; ".join(parts)


class ConfigError(ToolkitError):
    """An override, a config value or a combination of them that cannot be used."""


class InputError(ToolkitError):
    """A file, a folder or a record that cannot be used."""


class CheckpointError(InputError):
    """A checkpoint or run folder that is missing, incomplete or of another run."""


class StorageError(ToolkitError):
    """The disk refused: full, read-only, no permission."""


class DeviceError(ToolkitError):
    """A device that is absent, taken by another run, or too small."""


class UntrustworthyError(ToolkitError):
    """The work finished, and its own diagnostics say that the result should not be used."""


class NonFiniteError(ToolkitError):
    """A number went to NaN or infinity: names the quantity, the step and the seed."""


class InfrastructureError(ToolkitError):
    """Our own verifier, sandbox or scorer failed. Never a reward."""
