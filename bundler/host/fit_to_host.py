"""``airferry bundle --for``: a request cut to a host by its facts, and refused where it cannot work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bootstrap.airflow.differences import NEWEST
from bootstrap.doctor.remedies import quoted
from bootstrap.facts import saved
from bundler.base.errors import HostUnfit, InvalidRequest
from bundler.host import host_choice
from bundler.host.catalogue import CATALOGUE
from bundler.host.host_choice import PYTHON, Choice
from bundler.index import release
from bundler.index.keyring import with_password
from bundler.index.simple import Index, from_environment
from bundler.index.transport import Session
from bundler.request import platforms
from bundler.request.settings import Settings


@dataclass(frozen=True)
class FittedSettings:
    """The settings with what was chosen for the host in them, and the choice."""

    settings: Settings
    choice: Choice


def fit_settings(given: Settings, host: Path) -> FittedSettings:
    """Choose Python and platform for the host whose facts are in the file `host`.

    What is `given` wins, and is judged all the same. Without a release the newest of the index is taken;
    offline the newest that is known here. Raises :class:`HostUnfit` for blockers that are not ignored,
    FactsUnreadable, UnknownFinding, and what :func:`bundler.host.host_choice.choose` raises.
    """
    if given.onto:
        raise InvalidRequest(
            "--for and --onto cannot be combined: an add-on is for the same host as its base.",
            hint="Leave --for out.",
        )
    for identifier in given.ignore:
        CATALOGUE.explain(identifier)
    given = given.plain()
    facts = saved.load(host)
    airflow = given.airflow or (NEWEST if given.offline else _newest(given))
    named = any((given.platform, given.glibc, given.like, given.machine))
    tag = platforms.platform_tag(
        tag=given.platform, glibc=given.glibc, like=given.like, machine=given.machine
    )  # fmt: skip
    choice = host_choice.choose(
        facts,
        airflow,
        pythons=[given.python] if given.python else [],
        platform=tag if named else "",
        carried=bool(given.with_python),
    )
    _check(choice, host, given.ignore)
    settings = replace(
        given,
        airflow=airflow,
        python=choice.target.python,
        platform=choice.target.platform,
        glibc="",
        like="",
        machine="",
        made_for=choice.made_for,
    )
    return FittedSettings(settings, choice)


def _check(choice: Choice, host: Path, ignored: Sequence[str]) -> None:
    blockers = [finding for finding in choice.report.blockers if finding.id not in ignored]
    if blockers:
        carry = "To carry a Python: --with-python. " if any(i.entry in PYTHON for i in blockers) else ""
        raise HostUnfit(
            f"A bundle of Airflow {choice.airflow} would not work on the host of {host}.",
            found="\n".join(f"{item.title}: {item.found} [{item.id}]" for item in blockers),
            needed="\n".join(item.needed for item in blockers if item.needed),
            hint="What to do about each: "
            f"airferry doctor --host {quoted(str(host))} --airflow {choice.airflow}. {carry}Or "
            "continue despite these findings with " + " ".join(f"--ignore {item.id}" for item in blockers),
        )


def _newest(given: Settings) -> str:
    index_url = with_password(given.index_url or from_environment())
    with Session((index_url,)) as session:
        return release.find(Index(index_url, session), "").version
