from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.base.errors import DownloadFailed, InvalidRequest
from bundler.index import release
from bundler.index.simple import Index
from bundler.index.transport import Session, credentials, without_credentials
from tests.bundler.making import make_sdist, make_wheel
from tests.bundler.runner import AIRFLOW, Make
from tests.bundler.server import UPLOADED, LocalIndex
from wheelhouse.target import Target


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


@pytest.mark.parametrize("html", [False, True])
def test_both_forms_of_an_index(airflow: LocalIndex, session: Session, files: Path, html: bool) -> None:
    airflow.html = html
    found = {item.filename: item for item in Index(airflow.url, session).files("Only_Source")}
    item = found["only_source-0.1.tar.gz"]
    assert item.url == f"{airflow.base}/files/only_source-0.1.tar.gz"
    assert len(item.sha256) == 64
    assert item.requires_python == ">=3.8"
    assert str(item.version) == "0.1"
    assert not item.is_wheel
    assert item.uploaded == ("" if html else UPLOADED)


def test_a_bundle_from_an_html_index(make: Make, airflow: LocalIndex, tmp_path: Path) -> None:
    airflow.html = True
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("alpha==1.0\n")
    assert len(make(constraints=str(constraints)).manifest.packages) == 8


def test_an_index_without_upload_times_needs_a_constraint_file(make: Make, airflow: LocalIndex) -> None:
    airflow.times = False
    with pytest.raises(Exception, match="upload times"):
        make()


def test_problems_of_an_index(airflow: LocalIndex, session: Session) -> None:
    index = Index(airflow.url, session)
    with pytest.raises(DownloadFailed, match="no page for missing") as caught:
        index.files("missing")
    assert "HTTP 404" in caught.value.found
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        Index("http://127.0.0.1:9/simple", session).files("alpha")


def test_the_release_and_its_day(airflow: LocalIndex, session: Session) -> None:
    index = Index(airflow.url, session)
    found = release.find(index, "")
    assert found.version == AIRFLOW
    # An hour later than the wheel: the parts of a release are uploaded one after the other.
    assert found.as_of == "2026-01-02T04:04:05Z"
    assert release.find(index, "3.4.0b1").version == "3.4.0b1"
    with pytest.raises(InvalidRequest, match=r"does not run on Python 3\.8"):
        release.check(
            release.Release("3.3.2", ">=3.10", "", yanked=False), Target("3.8", "manylinux_2_28_x86_64")
        )


def test_credentials_in_the_url_reach_index_and_files_and_nothing_else(
    make: Make, airflow: LocalIndex
) -> None:
    plain = make()
    airflow.login = ("me", "s3cret")
    result = make(index_url=airflow.url_with("me", "s3cret"), output=plain.path.parent / "private")
    assert result.path.read_bytes() == plain.path.read_bytes()
    with pytest.raises(DownloadFailed, match="no page") as caught:
        make(refresh=True)
    assert "HTTP 401" in caught.value.found


def test_credentials_from_netrc(
    make: Make, airflow: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    airflow.login = ("me", "s3cret")
    assert make().manifest.airflow == AIRFLOW


def test_a_wrong_password_is_never_shown(make: Make, airflow: LocalIndex) -> None:
    airflow.login = ("me", "s3cret")
    with pytest.raises(DownloadFailed) as caught:
        make(index_url=airflow.url_with("me", "wr0ng"))
    assert "wr0ng" not in str(caught.value.as_dict())


def test_urls_without_credentials() -> None:
    url = "https://me:p%40ss@index.test:8443/simple?x=1"
    assert without_credentials(url) == "https://index.test:8443/simple?x=1"
    assert credentials(url) == ("me", "p@ss")
    assert credentials("https://index.test/") is None


def test_files_that_are_neither_wheel_nor_sdist_are_passed_over(
    index: LocalIndex, files: Path, session: Session
) -> None:
    odd = files / "odd-1.0.win32.exe"
    odd.write_bytes(b"")
    index.add(odd, make_wheel(files, "odd", "2.0"), make_sdist(files, "odd", "2.0"))
    assert [item.filename for item in Index(index.url, session).files("odd")] == [
        "odd-2.0-py3-none-any.whl",
        "odd-2.0.tar.gz",
    ]
