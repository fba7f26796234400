"""The site that a new installation is told of: the address for browsers, a certificate."""

from __future__ import annotations

from bootstrap.airflow import config
from bootstrap.installed.certificates import edit_of
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import AUTHORITY, CERTIFICATE, edited, is_written, write
from bootstrap.site.asked import SiteAsked


class SiteStep:
    """Write what was asked for into airflow.cfg and ``secrets/``.

    A finished installation is changed by ``bootstrap.change.site`` instead, which has a way back.
    """

    name = "site"

    def __init__(self, installation: Installation, asked: SiteAsked) -> None:
        self.installation = installation
        self.asked = asked

    def describe(self) -> str:
        """One line for the admin."""
        asked, parts = self.asked, []
        if asked.url:
            parts.append(f"browsers reach it as {asked.url}")
        if asked.self_signed:
            parts.append("HTTPS with a certificate that is made here")
        elif asked.key:
            parts.append(f"HTTPS with the certificate {asked.place}")
        return f"Set up the site: {', '.join(parts)}"

    def done(self) -> bool:
        """Whether all of it is written."""
        home = self.installation.home
        if not home.airflow_cfg.is_file():
            return False
        if self.asked.self_signed and self._has_own():
            return not self.asked.url or self.installation.site.url == self.asked.url
        if self.asked.self_signed:
            return False
        edit = edit_of(self.installation, self.asked)
        text = config.read(home.airflow_cfg)
        return edited(ManagedSettings(self.installation), text, edit.options) == text and is_written(
            home, edit.files
        )

    def apply(self) -> None:
        """Write it; what runs has read something else, and the start step brings it back."""
        home, managed = self.installation.home, ManagedSettings(self.installation)
        edit = edit_of(self.installation, self.asked)
        write(home, edit.files)
        text = edited(managed, config.read(home.airflow_cfg), edit.options)
        config.write(home.airflow_cfg, text)
        self.installation.stop(self.installation.components)
        managed.remember(managed.following(text))

    def _has_own(self) -> bool:
        home = self.installation.home.path
        return self.installation.site.tls and (home / AUTHORITY).exists() and (home / CERTIFICATE).exists()
