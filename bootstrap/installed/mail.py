"""Where an installation sends its mail, and whether its Airflow can."""

from __future__ import annotations

from typing import Optional

from bootstrap.airflow import config
from bootstrap.facts.mail import MailServer
from bootstrap.installed import in_force
from bootstrap.installed.installation import Installation

# from then on a task's mail is sent by the SMTP provider, which reads the connection alone
BY_PROVIDER = (3, 2, 0)
CONNECTION = "smtp_default"
PROVIDER = "apache-airflow-providers-smtp"
# what Airflow 2 writes into a new airflow.cfg
_DEFAULTS = ("localhost", "airflow@example.com")


def server(installation: Installation) -> Optional[MailServer]:
    """What airflow.cfg says; None where it names no server, or the one of Airflow's own default file."""
    text = in_force.text_of(installation.home.airflow_cfg)

    def get(option: str) -> str:
        return (config.get(text, "smtp", option) or "").strip()

    def on(option: str) -> bool:
        return get(option).lower() in ("true", "t", "1", "yes")

    if not get("smtp_host") or (get("smtp_host"), get("smtp_mail_from")) == _DEFAULTS:
        return None
    port = get("smtp_port")
    encryption = "ssl" if on("smtp_ssl") else "starttls" if on("smtp_starttls") else "none"
    return MailServer(get("smtp_host"), int(port) if port.isdigit() else 25, encryption)


def sent_by_provider(installation: Installation) -> bool:
    """Whether this release sends with the SMTP provider."""
    return installation.version.numbers >= BY_PROVIDER


def lacks_provider(installation: Installation) -> bool:
    """Whether it needs the provider, and has none."""
    if not sent_by_provider(installation):
        return False
    found = installation.release.venv.glob("lib/python3*/site-packages/airflow/providers/smtp/hooks/smtp.py")
    return not any(found)
