"""A mail as Airflow itself sends one when a task fails: run by Airflow's own Python.

Standard input is JSON: ``to``, ``subject``, ``text`` and ``provider``, which says that this release sends
with the SMTP provider (from 3.2 on). The last line of the output is JSON: ``said``, "" where the server has
taken it.
"""

import json
import sys
from typing import Any, Dict


def send(asked: Dict[str, Any]) -> None:
    """Send it; raises whatever Airflow raises."""
    if asked["provider"]:
        from airflow.providers.smtp.hooks.smtp import (  # type: ignore[import-not-found]  # noqa: PLC0415
            SmtpHook,
        )

        with SmtpHook(smtp_conn_id="smtp_default") as hook:
            hook.send_email_smtp(to=asked["to"], subject=asked["subject"], html_content=asked["text"])
        return
    from airflow.utils.email import send_email  # type: ignore[import-not-found]  # noqa: PLC0415

    send_email(asked["to"], asked["subject"], asked["text"])


def main() -> None:
    """Answer the question on standard input."""
    asked, said = json.load(sys.stdin), ""
    try:
        send(asked)
    except Exception as error:  # noqa: BLE001  (whatever it is, the mail was not sent)
        said = " ".join(f"{type(error).__name__}: {error}".split())
    sys.stdout.write("\n" + json.dumps({"said": said}) + "\n")


if __name__ == "__main__":
    main()
