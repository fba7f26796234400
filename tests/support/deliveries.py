"""A delivery that both roles have signed, and a host that admits: real keys, the real program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bundler.approval import admission, release_list, signing, slices
from bundler.approval.signing import Role
from tests.support import bundles
from wheelhouse import layout
from wheelhouse.writer import Member

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
SHELLS = [
    command for command in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(command[0])
]
KEYS = (("kim", "ed25519"), ("lee", "rsa"), ("park", "ecdsa"), ("choi", "ed25519"))
FILE = "airflow-3.3.2-b.run"


@dataclass(frozen=True)
class Site:
    """A host's trust and store, the keys of both roles, and a folder with a delivery."""

    root: Path
    keys: Path
    medium: Path

    @property
    def trust(self) -> Path:
        """What would be /etc/airferry/trust."""
        return self.root / "trust"

    @property
    def store(self) -> Path:
        """What would be /var/lib/airferry/store."""
        return self.root / "store"

    @property
    def file(self) -> Path:
        """The bundle."""
        return self.medium / "airflow-3.3.2-b.run"

    @property
    def listing(self) -> Path:
        """Its release list."""
        return release_list.path_of(self.file)

    def public(self, key: str) -> str:
        """A public key."""
        return " ".join((self.keys / f"{key}.pub").read_text().split()[:2])

    def trusts(self, **signers: str) -> None:
        """Write the signers: a role to the key that it has."""
        lines = [f'{key} namespaces="airferry-{role}" {self.public(key)}' for role, key in signers.items()]
        (self.trust / "signers").write_text("\n".join(lines) + "\n")

    def admit(
        self, *words: str, shell: tuple[str, ...] | list[str] = ("sh",), path: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the program, with its two folders in the test's own root."""
        text = admission.text(admission.PROGRAM)
        for name, there in (("/etc/airferry/trust", self.trust), ("/var/lib/airferry/store", self.store)):
            assert text.count(f"={name}\n") == 1
            text = text.replace(f"={name}\n", f"={there}\n")
        if path:
            text = text.replace("PATH=/usr/local/sbin", f"PATH={path}:/usr/local/sbin", 1)
        program = self.root / "airferry-admit"
        program.write_text(text)
        return subprocess.run(
            [*shell, str(program), *words], cwd=self.medium, capture_output=True, text=True, timeout=60,
            errors="backslashreplace", check=False, env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def admitted(self) -> list[str]:
        """What the store holds, by the names in it."""
        return (
            sorted(str(path.relative_to(self.store)) for path in self.store.rglob("*"))
            if self.store.exists()
            else []
        )


def made(folder: Path) -> Path:
    """Keys of all kinds and a bundle of three parts, in that folder."""
    for key, kind in KEYS:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", key, "-f", folder / key], check=True, timeout=60
        )
    bundles.write(folder / FILE, PYTHON, noise(7))
    return folder


def noise(seed: int) -> list[Member]:
    """What makes a bundle large enough for three parts."""
    return [Member(layout.DAGS + "noise.bin", bundles.noise(180 << 10, seed))]


def site(original: Path, folder: Path) -> Site:
    """Both roles have signed what lies on the medium; the host trusts kim to build and lee to approve."""
    found = Site(folder / "host", original, folder / "반입 매체")
    found.trust.mkdir(parents=True)
    found.medium.mkdir()
    shutil.copy(original / found.file.name, found.medium)
    slices.split(found.file, 96 << 10)
    release_list.update(found.file)
    signing.sign(found.listing, Role.BUILDER, str(original / "kim"))
    signing.sign(found.listing, Role.APPROVER, str(original / "lee"))
    (found.trust / "roles").write_text("builder\napprover")
    found.trusts(builder="kim", approver="lee")
    return found
