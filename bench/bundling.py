"""Bundling against ``pip download`` of the same constraints, and against ``pex`` of the same set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.measuring import fresh, heading, load, run, show, timed
from bundler.approval import instructions, release_list, slices
from bundler.build import interpreters

ROOT = Path(__file__).resolve().parent.parent
# On two cores, for a bundle of 108 MB: a person waits for it.
_DOSSIER_SECONDS = 3.0
# what whoever copies it by hand does to be sure that it is on the disk
COPY = 'cp -- "$0" "$1" && sync -d "$1"'
_PART = 50 << 20
MANIFEST = "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read('manifest.json'))"


class Bundling:
    """A release for a Python, below `scratch`; without `constraints` all versions are pinned for both."""

    def __init__(self, scratch: Path, runs: int, airflow: str, python: str, constraints: str) -> None:
        self.scratch = scratch
        self.runs = runs
        self.airflow = airflow
        self.python = python or f"{sys.version_info[0]}.{sys.version_info[1]}"
        self.constraints = Path(constraints).resolve() if constraints else None
        self.warm = scratch / "cache-warm"

    def bundle(self, cache: Path, constraints: str) -> Path:
        """Make the bundle with that cache, in a process of its own."""
        command = [sys.executable, "-m", "bundler", "bundle", "--constraints", constraints, "--json"]
        command += ["--python", self.python, "--output", str(fresh(self.scratch / "dist"))]
        command += ["--airflow", self.airflow] if self.airflow else []
        env = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        said = subprocess.run(command, check=True, env=env, cwd=ROOT, stdout=subprocess.PIPE)
        return Path(json.loads(said.stdout)["result"]["file"])

    @cached_property
    def first(self) -> Path:
        """The bundle of the first run, which fills the cache of the warm ones."""
        return self.bundle(self.warm, str(self.constraints or "auto"))

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What is in that bundle."""
        command = [sys.executable, "-c", MANIFEST, str(self.first)]
        read: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return read

    def measure(self) -> None:
        """Print the rows."""
        manifest = self.manifest
        packages = manifest["packages"]
        size = self.first.stat().st_size
        pins = self.constraints or self.scratch / "constraints.txt"
        if self.constraints is None:
            pins.write_text("".join(f"{item['name']}=={item['version']}\n" for item in packages))
        extras = ",".join(manifest["extras"])
        wanted = [f"apache-airflow[{extras}]=={manifest['airflow']}", "asyncpg", "psycopg2-binary"]
        python = interpreters.find(self.python)
        if python is None:
            sys.exit(f"pip and pex resolve for the Python that runs them: there is no {self.python} here")
        peers = self.scratch / "peers"
        run([str(python), "-m", "venv", str(peers)])
        run([str(peers / "bin/pip"), "install", "--upgrade", "pip", "pex"])
        pip = [str(peers / "bin/pip"), "download", "--disable-pip-version-check", "-c", str(pins), *wanted]
        pex = [
            str(peers / "bin/pex"),
            "--constraints",
            str(pins),
            "-o",
            str(self.scratch / "set.pex"),
            *wanted,
        ]

        def pip_cold() -> None:
            run([*pip, "--no-cache-dir", "-d", str(fresh(self.scratch / "pip"))])

        def pip_warm() -> None:
            run(
                [*pip, "--cache-dir", str(self.scratch / "pip-cache"), "-d", str(fresh(self.scratch / "pip"))]
            )

        def pex_cold() -> None:
            run(pex, more={"PEX_ROOT": str(fresh(self.scratch / "pex"))})

        print(f"Airflow {manifest['airflow']} / Python {self.python}, {len(packages)} packages; {load()}")
        self.bundle(self.warm, str(pins))
        pip_warm()
        cold, dated, warm, download, again, pexed = [], [], [], [], [], []
        for _ in range(self.runs):
            if self.constraints is None:
                dated.append(timed(lambda: self.bundle(fresh(self.scratch / "cache-cold"), "release-date")))
            cold.append(timed(lambda: self.bundle(fresh(self.scratch / "cache-cold"), str(pins))))
            download.append(timed(pip_cold))
            warm.append(timed(lambda: self.bundle(self.warm, str(pins))))
            again.append(timed(pip_warm))
            pexed.append(timed(pex_cold))
        heading("peer")
        show("bundle, cold / pip download", cold, download, 0.35)
        if dated:  # every version is chosen, and the metadata of old sources built for that
            show("bundle by date, cold / pip download", dated, download, 0.6)
        show("bundle, warm / pip download", warm, download, 0.05)
        show("bundle, warm / pip download, warm", warm, again, 0.15)
        show("bundle, cold / pex", cold, pexed, 0.1)
        carried = [*packages, *manifest["tools"], *manifest["services"], manifest["postgres"]["package"]]
        content = sum(item["size"] for item in carried)
        row = f"{'size of the file / its content':38} {size / 1e6:7.1f}MB {content / 1e6:7.1f}MB"
        print(f"{row} {size / content:6.3f} {1.05:6.2f}; {load()}", flush=True)
        self._dossier()
        heading("limit")
        show("dossier", [timed(self._dossier) for _ in range(self.runs)], [_DOSSIER_SECONDS], 1)
        heading("copying")
        cut, copied = [], []
        for _ in range(self.runs):
            cut.append(timed(self._split))
            copied.append(timed(self._copy))
        show("split / copying to the same disk", cut, copied, 1.2)

    def _split(self) -> None:
        for part in self.first.parent.glob(f"{self.first.name}.[0-9]*"):
            part.unlink()
        found = slices.split(self.first, _PART)
        assert found is not None
        instructions.write(self.first, found.sha256, found.digests)
        release_list.update(self.first, found.sha256, found.digests)

    def _copy(self) -> None:
        copy = fresh(self.scratch / "copy") / "copy"
        run(["sh", "-c", COPY, str(self.first), str(copy)])

    def _dossier(self) -> None:
        """The papers of that bundle; what an index says is that index's affair."""
        run(
            [sys.executable, "-m", "bundler", "dossier", str(self.first), "--offline"],
            more={"XDG_CACHE_HOME": str(self.warm), "PYTHONPATH": str(ROOT)},
        )
