"""Every finding of both sides."""

from __future__ import annotations

from bootstrap.doctor.catalogue import MODULES, Catalogue
from bundler.builder_host import checks
from bundler.host import host_choice

CATALOGUE = Catalogue((*MODULES, host_choice, checks))
