"""The root of every error that a user may meet, and the errors of the bundle itself."""

from __future__ import annotations

from typing import ClassVar


class AirferryError(Exception):
    """An expected failure: what happened, what was found and needed, and what to do about it.

    ``reference`` is a stable kebab-case name and ``exit_code`` the process's own; both are listed in
    docs/reference/exit-codes.md. ``hint`` must be possible with what is at hand on that host.
    """

    reference: ClassVar[str] = "airferry-error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, found: str = "", needed: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.found = found
        self.needed = needed
        self.hint = hint

    def as_dict(self) -> dict[str, object]:
        """The error as JSON-able data for ``--json``."""
        return {
            "reference": self.reference,
            "exit_code": self.exit_code,
            "message": self.message,
            "found": self.found,
            "needed": self.needed,
            "hint": self.hint,
        }


class BundleDamaged(AirferryError):
    """The file is truncated, changed, or holds members that its manifest does not list."""

    reference = "bundle-damaged"
    exit_code = 10


class BundleUnsupported(AirferryError):
    """The file is not a bundle, or was written by a newer airferry than the one that reads it."""

    reference = "bundle-unsupported"
    exit_code = 11


class InvalidTarget(AirferryError):
    """A Python version or platform tag that is not one."""

    reference = "invalid-target"
    exit_code = 12
