"""How a bundle can be written beside the one file; apart, because the command line names them all."""

from __future__ import annotations

from enum import Enum


class Shape(str, Enum):
    """A form with the same content, for gates that refuse programs."""

    FOLDER = "folder"
    TAR = "tar"
    ZIP = "zip"
