"""Names inside a bundle. The order is the order in the file: what is read first lies first."""

from __future__ import annotations

STAGE0 = "__main__.py"
MANIFEST = "manifest.json"
LOCK = "pylock.toml"
RUNTIME = "runtime/"
DAGS = "dags/"
TOOLS = "tools/"
SERVICES = "services/"
POSTGRES = "postgres/"
WHEELS = "wheels/"
PYTHON = "python/"

SECTIONS = (RUNTIME, PYTHON, DAGS, TOOLS, SERVICES, POSTGRES, WHEELS)

# zipimport reads ZIP64 archives only from Python 3.13 on. The format needs ZIP64 from 4 GiB on, but zipfile
# writes it from 2 GiB on; 65,535 members is what the end record says for "see ZIP64".
MAX_BYTES = 2**31 - 1
MAX_MEMBERS = 2**16 - 2
# Several times what the largest bundle needs. Parsed, it takes some tens of times as much memory.
MAX_MANIFEST = 2**23


def bundle_name(airflow: str, python_tag: str, platform: str, added: str = "") -> str:
    """The file name of a bundle: ``airflow-3.3.2-cp311-manylinux_2_28_x86_64.run``.

    `added` tells add-ons apart: ``airflow-3.3.2-cp311-manylinux_2_28_x86_64-add-0a1b2c3d.run``.
    """
    return f"airflow-{airflow}-{python_tag}-{platform}{added and '-add-'}{added}.run"


def is_safe(name: str) -> bool:
    """Whether a member stays inside the folder that it is unpacked into, and its name can be shown."""
    parts = name.split("/")
    return name.isprintable() and "\\" not in name and not {"", ".", ".."} & set(parts)
