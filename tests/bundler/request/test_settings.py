from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundler.base import toml
from bundler.base.errors import InvalidRequest
from bundler.request import settings_file
from bundler.request.settings import Settings
from tests.bundler.making import make_wheel
from tests.bundler.runner import Run


def written(folder: Path, text: str) -> Path:
    path = folder / "airferry.toml"
    path.write_text(text)
    return path


def test_init_writes_a_file_that_bundles(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("init", "--airflow", "3.3.2", "--python", "3.11")
    assert status == 0
    assert "airferry bundle -f airferry.toml" in out
    status, out, _ = run("bundle", "-f", "airferry.toml", "--constraints", "release-date", "--json")
    assert status == 0
    result = json.loads(out)["result"]
    assert (result["airflow"], result["python"]) == ("3.3.2", "3.11")
    assert result["platform"].startswith("manylinux_2_28_")
    assert (tmp_path / "dist").is_dir()


def test_without_a_release_the_file_asks_for_the_newest() -> None:
    table = toml.loads(settings_file.template("", "3.11"))["bundle"]
    assert "airflow" not in table
    assert table["python"] == "3.11"


def test_init_never_overwrites(run: Run, tmp_path: Path) -> None:
    written(tmp_path, "mine")
    status, _, err = run("init")
    assert status == 2
    assert "was not changed" in " ".join(err.split())
    assert (tmp_path / "airferry.toml").read_text() == "mine"
    assert run("init", "no/such/folder/airferry.toml")[0] == 26


def test_the_template_names_every_setting() -> None:
    lines = settings_file.template("3.3.2", "3.11").splitlines()
    uncommented = [line.removeprefix("# ") for line in lines if " = " in line]
    table = toml.loads("\n".join(uncommented))
    assert set(table) == set(settings_file.keys())


def test_the_command_line_wins(run: Run, tmp_path: Path) -> None:
    written(
        tmp_path,
        '[bundle]\nairflow = "2.10.5"\npython = "3.9"\nlike = "rhel9"\nextras = ["postgres"]\n'
        'constraints = "release-date"\nmachine = "x86_64"\n',
    )
    arguments = (
        "bundle",
        "-f",
        "airferry.toml",
        "--airflow",
        "3.3.2",
        "--platform",
        "manylinux_2_28_x86_64",
        "--json",
    )
    result = json.loads(run(*arguments)[1])["result"]
    assert result["airflow"] == "3.3.2"
    assert result["python"] == "3.9"
    assert result["platform"] == "manylinux_2_28_x86_64"
    assert result["extras"] == ["fab", "postgres"]


def test_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    make_wheel(folder, "own", "1.0")
    found = settings_file.read(
        written(
            folder,
            '[bundle]\nconstraints = "constraints.txt"\n'
            'requirements = ["own-1.0-py3-none-any.whl", "./project", "six"]\n'
            'requirement-files = ["requirements.txt"]\nfind-links = ["wheels", "https://wheels.test/"]\n'
            'output = "out"\nbuild-constraints = "build.txt"\n',
        )
    )
    assert found.constraints == str(folder / "constraints.txt")
    assert found.requirements == (str(folder / "own-1.0-py3-none-any.whl"), str(folder / "project"), "six")
    assert found.requirement_files == (folder / "requirements.txt",)
    assert found.find_links == (str(folder / "wheels"), "https://wheels.test/")
    assert found.output == folder / "out"
    assert found.build_constraints == folder / "build.txt"


def test_every_problem_of_a_file_is_told(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[bundle]\nairflo = "3"\npython = 3.11\nextras = "fab"\nindex-url = "https://me:secret@index.test"\n[other]\n',
    )
    with pytest.raises(InvalidRequest) as caught:
        settings_file.read(path)
    assert caught.value.found.splitlines() == [
        "[other]: unknown; everything is in [bundle]",
        "airflo: unknown. Did you mean airflow?",
        'python: a text is needed, such as "3.11"',
        "extras: a list of texts is needed",
        "index-url: holds a password; put it into netrc or keyring, or give the URL on the command line",
    ]
    assert "secret" not in caught.value.found
    # the password of this one is in a keyring
    path = written(tmp_path, '[bundle]\nindex-url = "https://me@index.test"\n')
    assert settings_file.read(path).index_url == "https://me@index.test"


@pytest.mark.parametrize(("text", "message"), [("[bundle", "not a TOML file"), (None, "cannot be read")])
def test_a_file_that_is_none(tmp_path: Path, text: str | None, message: str) -> None:
    path = written(tmp_path, text) if text else tmp_path / "missing.toml"
    with pytest.raises(InvalidRequest, match=message):
        settings_file.read(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_as_editors_of_windows_save_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "airferry.toml"
    path.write_bytes('[bundle]\r\nairflow = "3.3.2"  # 왜\r\n'.encode(encoding))
    assert settings_file.read(path).airflow == "3.3.2"


@pytest.mark.parametrize("encoding", ["cp949", "utf-16-le"])
def test_a_file_in_another_encoding_names_the_way_out(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "airferry.toml"
    path.write_bytes('[bundle]\nairflow = "3.3.2"  # 왜\n'.encode(encoding))
    with pytest.raises(InvalidRequest, match="is not a TOML file") as caught:
        settings_file.read(path)
    assert "save the file as UTF-8" in caught.value.found


def test_releases_and_pythons_as_people_write_them() -> None:
    def said(airflow: str, python: str) -> tuple[str, str]:
        found = Settings(airflow=airflow, python=python).plain()
        return found.airflow, found.python

    releases = {
        "3.3.2": "3.3.2", " 3.3.2 ": "3.3.2", "==3.3.2": "3.3.2", "apache-airflow==3.3.2": "3.3.2",
        "apache_airflow == 3.3.2": "3.3.2", "3.3": "3.3", "3.3.*": "3.3", "3.3.x": "3.3", "~=3.3.0": "3.3",
        "~= 3.3": "3", "latest": "", "Latest": "", "": "", "3.3.2rc1": "3.3.2rc1", "v3.3.2": "v3.3.2",
        ">=3": ">=3", "3,3": "3,3",
    }  # fmt: skip
    assert {text: said(text, "")[0] for text in releases} == releases
    pythons = ("3.11", "3.11.4", "3.11.x", "3.11.*", "python3.11", "Python 3.11.4", "py311", "cp311", "CP311",
               "/usr/bin/python3.11", "/opt/my python/bin/python3.11")  # fmt: skip
    assert {text: said("", text)[1] for text in pythons} == dict.fromkeys(pythons, "3.11")
    others = {
        "": "",
        "3": "3",
        "2.7": "2.7",
        "pypy3.10": "pypy3.10",
        "3.13t": "3.13t",
        "3.11-dev": "3.11-dev",
    }
    assert {text: said("", text)[1] for text in others} == others
