"""What an approval asks of a wheel: licence, texts, SBOMs, programs. Worked out once for each content."""

from __future__ import annotations

import email.parser
import hashlib
import re
import zipfile
from dataclasses import dataclass
from email.message import Message

from bundler.approval import binaries, licences, nested
from bundler.approval.binaries import Binary
from bundler.approval.licences import DeclaredLicence, LicenceText
from bundler.approval.nested import NestedSbom
from bundler.index.cache import Cache
from wheelhouse import codec

# What is in the cache was worked out by these rules; another number leaves it alone.
_RULES = "approval 1"
_MOST_METADATA = 1 << 24
_MOST_TEXT = 1 << 20
_MOST_TEXTS = 500
_VECTOR = re.compile(r"^default_version = '([0-9.]{1,20})'$", re.MULTILINE)


@dataclass(frozen=True)
class WheelFacts:
    """What a wheel tells; `programs` only where they were asked for, `pgvector` its version or empty."""

    summary: str
    licence: DeclaredLicence
    texts: tuple[LicenceText, ...]
    sboms: tuple[NestedSbom, ...]
    programs: tuple[Binary, ...] = ()
    pgvector: str = ""


def read(archive: zipfile.ZipFile, path: str, sha256: str, cache: Cache, *, programs: bool) -> WheelFacts:
    """The facts of the wheel that is the member `path`, verified before as having that `sha256`.

    Raises ValueError or zipfile.BadZipFile for what is no wheel.
    """

    def work_out() -> object:
        with archive.open(path) as stream, zipfile.ZipFile(stream) as wheel:
            return codec.encode(_facts(wheel, programs=programs))

    return codec.decode(WheelFacts, cache.answer([_RULES, sha256, str(programs)], work_out))


def metadata(content: bytes) -> Message:
    """A package's METADATA."""
    return email.parser.BytesParser().parsebytes(content, headersonly=True)


def licence_text(path: str, content: bytes) -> LicenceText:
    """A licence text and what its phrases say."""
    text = content[:_MOST_TEXT].decode("utf-8", "replace")
    return LicenceText(
        licences.shortened(path, 200), hashlib.sha256(content).hexdigest(), licences.found_in(text)
    )


def _facts(wheel: zipfile.ZipFile, *, programs: bool) -> WheelFacts:
    infos = [info for info in wheel.infolist() if not info.is_dir()]
    (described,) = [
        info
        for info in infos
        if info.filename.endswith(".dist-info/METADATA") and info.filename.count("/") == 1
    ]
    if described.file_size > _MOST_METADATA:
        raise ValueError("its METADATA is too large")
    message = metadata(wheel.read(described))
    texts = [info for info in infos if licences.is_text(info.filename) and info.file_size <= _MOST_TEXT]
    vector = next((info for info in infos if info.filename.endswith("/share/extension/vector.control")), None)
    version = _VECTOR.search(wheel.read(vector)[:4096].decode("utf-8", "replace")) if vector else None
    return WheelFacts(
        summary=licences.shortened(str(message.get("Summary") or "")),
        licence=licences.declared(message),
        texts=tuple(licence_text(info.filename, wheel.read(info)) for info in texts[:_MOST_TEXTS]),
        sboms=nested.read(wheel),
        programs=binaries.read(wheel) if programs else (),
        pgvector=version[1] if version else "",
    )
