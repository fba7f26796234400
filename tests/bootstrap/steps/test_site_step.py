"""What a new installation is told of its site, and how that crosses from root to the account."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap import handoff
from bootstrap.airflow import config
from bootstrap.base.secret import Secret
from bootstrap.commands.site_options import asked_of
from bootstrap.handoff import NOTHING, Handover
from bootstrap.installed.installation import Installation
from bootstrap.site import asked
from bootstrap.site.asked import SiteAsked
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.site import SiteStep
from tests.support.certificates import authority, leaf, needs_openssl
from tests.support.configured import configured

URL = "https://airflow.example.com:8443/air"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return configured(tmp_path / "home")


@needs_openssl
@pytest.mark.parametrize("release", ["2.11.2", "3.3.2"])
def test_a_new_installation_has_all_of_it_before_it_starts(tmp_path: Path, release: str) -> None:
    home = configured(tmp_path / "home", release)
    installation = Installation(receipts.load(home.receipt))
    root = authority(tmp_path)
    pair = leaf(tmp_path, "DNS:airflow.example.com,IP:127.0.0.1", root)
    wanted = asked_of(URL, pair.certificate, pair.key, root.certificate, self_signed=False)
    assert wanted is not None
    step = SiteStep(installation, wanted)
    assert not step.done()
    assert URL in step.describe() and str(pair.certificate) in step.describe()
    step.apply()
    assert step.done() and ConfigurationStep(installation).done()
    text = config.read(home.airflow_cfg)
    assert config.get(text, *{"2": ("webserver", "base_url"), "3": ("api", "base_url")}[release[0]]) == URL
    assert installation.url == "https://127.0.0.1:9/air"
    assert installation.url_for_others == URL
    if release.startswith("3"):
        tasks = config.get(text, "core", "execution_api_server_url")
        assert tasks == "https://127.0.0.1:9/air/execution/"
    assert (home.secrets / "tls-certificate.pem").read_text().count("BEGIN CERTIFICATE") == 2
    # by a proxy instead: what was derived for HTTPS of its own goes
    other = SiteStep(installation, SiteAsked(url="https://portal.example.com"))
    assert not other.done()
    other.apply()
    assert other.done()


def test_it_crosses_whole_and_is_shown_nowhere(home: Home) -> None:
    given = SiteAsked(URL, "certificate " * 20_000, Secret("the key"), "root", "/root/x.pem")
    assert "the key" not in repr(given)
    descriptor = handoff._memory(given.whole)
    receipt = replace(receipts.load(home.receipt), account="x")
    handed = Handover(1, receipt, NOTHING, "x.run", NOTHING, site=descriptor)
    assert "the key" not in repr(handed)
    assert handoff.secrets_of(handed).site == given
    with pytest.raises(OSError):
        os.fstat(descriptor)
    assert asked.parse(SiteAsked(self_signed=True).whole) == SiteAsked(self_signed=True)
