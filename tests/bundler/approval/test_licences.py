from __future__ import annotations

from email.message import Message

from bundler.approval import licences
from bundler.approval.licences import DeclaredLicence


def _metadata(*lines: tuple[str, str]) -> Message:
    message = Message()
    for name, value in lines:
        message[name] = value
    return message


def test_declared_licence_is_the_packages_own_word() -> None:
    cases = {
        DeclaredLicence("Apache-2.0 OR MIT", "apache-2.0 or mit"): [
            ("License-Expression", "apache-2.0 or mit")
        ],
        DeclaredLicence("", "BSD License"): [("Classifier", "License :: OSI Approved :: BSD License")],
        DeclaredLicence("MIT", "MIT License"): [
            ("License", "MIT"),
            ("Classifier", "License :: OSI Approved :: MIT License"),
        ],
        DeclaredLicence("", "Our own terms"): [("License", "Our own terms\n\nYou may ...")],
        DeclaredLicence("", ""): [("License", "UNKNOWN")],
    }
    assert {expected: licences.declared(_metadata(*lines)) for expected, lines in cases.items()} == {
        expected: expected for expected in cases
    }


def test_strangers_words_are_one_plain_line() -> None:
    found = licences.declared(_metadata(("License", "a\tb\u202ec\x1b[31m" + "x" * 500)))
    assert found.words.startswith("a b\ufffdc\ufffd[31mxxx")
    assert len(found.words) == 120


def test_licence_in_a_text_is_told_by_its_phrases() -> None:
    grant = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted"
    free = "Permission is hereby granted, free of charge, to any person"
    gnu = "GNU {}GENERAL PUBLIC LICENSE\n   Version {}, {}"
    texts = {
        "                      Apache License\n                Version 2.0, January 2004": ("Apache-2.0",),
        f"{free}\n... this permission notice\nshall be included in all copies": ("MIT",),
        free: ("MIT-0",),
        grant: ("BSD-2-Clause",),
        f"{grant} ... used to endorse or promote products": ("BSD-3-Clause",),
        gnu.format("", 3, "29 June 2007"): ("GPL-3.0",),
        gnu.format("LESSER ", "2.1", "February 1999"): ("LGPL-2.1",),
        gnu.format("AFFERO ", 3, "19 November 2007"): ("AGPL-3.0",),
        "Mozilla Public License Version 2.0": ("MPL-2.0",),
        "for any purpose, without fee, and without a\nwritten agreement": ("PostgreSQL",),
        f"Apache License\nVersion 2.0\n{grant}": ("Apache-2.0", "BSD-2-Clause"),
        "All rights reserved.": (),
    }
    assert {text: licences.found_in(text) for text in texts} == texts


def test_texts_are_the_wheels_own() -> None:
    paths = {
        "a-1.dist-info/LICENSE": True,
        "a-1.dist-info/licenses/vendor/COPYING.txt": True,
        "a-1.dist-info/THIRD_PARTY_NOTICES.md": True,
        "a-1.dist-info/METADATA": False,
        "a/licenses.py": False,
        "a/vendor/LICENSE": False,
    }
    assert {path: licences.is_text(path) for path in paths} == paths
