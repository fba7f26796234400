"""What can go wrong on the internet side; each class owns its exit code (2, 20 to 29, 65, 66)."""

from __future__ import annotations

from wheelhouse.errors import AirferryError


class ConstraintsUnavailable(AirferryError):
    """The constraint file that was asked for is not available, or is not one."""

    reference = "constraints-unavailable"
    exit_code = 20


class ResolutionFailed(AirferryError):
    """No set of packages meets all requirements; ``found`` holds the resolver's own words.

    `left_out` are packages of which a date leaves out what is needed, and when that came out (RFC 3339; empty
    where the index does not tell).
    """

    reference = "resolution-failed"
    exit_code = 21
    left_out: tuple[tuple[str, str], ...] = ()


class DownloadFailed(AirferryError):
    """The index or a file is not available, after all retries."""

    reference = "download-failed"
    exit_code = 22


class HashMismatch(AirferryError):
    """A file is not the one that the lock names."""

    reference = "hash-mismatch"
    exit_code = 23


class BuildFailed(AirferryError):
    """A source distribution cannot be built into a wheel."""

    reference = "build-failed"
    exit_code = 24


class NoFittingWheel(AirferryError):
    """A package has no wheel for the target, and building one does not help."""

    reference = "no-fitting-wheel"
    exit_code = 25


class OutputFailed(AirferryError):
    """The bundle, or a file of the cache, cannot be written."""

    reference = "output-failed"
    exit_code = 26


class HostUnfit(AirferryError):
    """No bundle of that release would work on the host that it is made for; ``found`` lists why."""

    reference = "host-unfit"
    exit_code = 55


class InvalidRequest(AirferryError):
    """What was asked for is not possible or not clear; ``found`` lists every problem."""

    reference = "invalid-request"
    exit_code = 2


class PythonUnavailable(AirferryError):
    """The interpreter to carry cannot be found or fetched; ``hint`` names the file and where to put it."""

    reference = "python-unavailable"
    exit_code = 65


class PythonUnfit(AirferryError):
    """The archive holds no interpreter that a bundle for this target can carry."""

    reference = "python-unfit"
    exit_code = 66
