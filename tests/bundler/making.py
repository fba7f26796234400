"""Tiny real wheels and source distributions."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    extras: Sequence[str] = (),
    tag: str = "py3-none-any",
    files: Mapping[str, str] | None = None,
    licence: str = "Apache-2.0",
    pythons: Sequence[str] = (),
    requires_python: str = "",
    more: Sequence[str] = (),
) -> Path:
    """Write a wheel that installers accept: METADATA, WHEEL and a RECORD with true hashes."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    metadata = [f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {licence}\n"]
    metadata += [f"Provides-Extra: {extra}\n" for extra in extras]
    metadata += [f"Classifier: Programming Language :: Python :: {python}\n" for python in pythons]
    metadata += [f"Requires-Python: {requires_python}\n"] if requires_python else []
    metadata += [f"Requires-Dist: {requirement}\n" for requirement in requires]
    metadata += [f"{line}\n" for line in more]
    purelib = "true" if tag.endswith("-any") else "false"
    content = dict(files or {f"{name.replace('-', '_')}.py": f"version = {version!r}\n"})
    content[f"{info}/METADATA"] = "".join(metadata)
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n"
    record = []
    for member, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{member},sha256={digest},{len(text.encode())}")
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in content.items():
            archive.writestr(zipfile.ZipInfo(member, (2024, 1, 1, 0, 0, 0)), text)
    return path


def make_sdist(folder: Path, name: str, version: str, *, files: Mapping[str, str] | None = None) -> Path:
    """Write a source distribution whose build backend is its own module: building needs no index."""
    stem = f"{name.replace('-', '_')}-{version}"
    content = {
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": BACKEND_TABLE.format(name=name, version=version),
        "own_backend.py": OWN_BACKEND.format(name=name, module=name.replace("-", "_"), version=version),
        **(files or {}),
    }
    path = folder / f"{stem}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in content.items():
            entry = tarfile.TarInfo(f"{stem}/{member}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def make_c_sdist(folder: Path, name: str, version: str, *, broken: bool = False) -> Path:
    """Write a source distribution with a C extension, for setuptools."""
    return make_sdist(
        folder,
        name,
        version,
        files={
            "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n\n'
            f'[project]\nname = "{name}"\nversion = "{version}"\n',
            "setup.py": "from setuptools import Extension, setup\n"
            f'setup(ext_modules=[Extension("{name}", ["{name}.c"])], py_modules=[])\n',
            f"{name}.c": "#error no\n" if broken else C_MODULE.replace("NAME", name),
        },
    )


BACKEND_TABLE = """\
[build-system]
requires = []
build-backend = "own_backend"
backend-path = ["."]

[project]
name = "{name}"
version = "{version}"
"""

OWN_BACKEND = """\
import os, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    stem = "{module}-{version}"
    info = stem + ".dist-info/"
    name = stem + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        # Neither sorted nor with a fixed time: the bundler sees to that.
        archive.writestr("{module}.py", "version = '{version}'\\n")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.2\\nName: {name}\\nVersion: {version}\\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        listed = ["{module}.py", info + "METADATA", info + "WHEEL", info + "RECORD"]
        archive.writestr(info + "RECORD", "".join(item + ",,\\n" for item in listed))
    return name
"""

C_MODULE = """\
#define Py_LIMITED_API 0x03080000
#include <Python.h>
#include <string.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "NAME", "", -1, methods};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModule_Create(&module); }
"""
