"""A mail server (SMTP, RFC 5321) as it answers; nothing is sent."""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass
from typing import Optional

from bootstrap.base.secret import Secret

SECONDS = 8.0


@dataclass(frozen=True)
class MailServer:
    """Where mail goes: `encryption` is none, starttls or ssl; without `user` nobody logs in."""

    host: str
    port: int
    encryption: str = "none"
    user: str = ""


def problem(server: MailServer, password: Optional[Secret] = None) -> str:
    """Why the server cannot be used, in its own words; "" when it can.

    With `password` it is also logged in to. The certificate is not judged here: releases of Airflow differ in
    that, and a test mail tells.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        client = (
            smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=context)
            if server.encryption == "ssl"
            else smtplib.SMTP(server.host, server.port, timeout=SECONDS)
        )
        with client:
            if server.encryption == "starttls":
                client.starttls(context=context)
            client.ehlo_or_helo_if_needed()
            if server.user and password is not None:
                client.login(server.user, password.reveal())
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    except socket.gaierror as error:
        return f"{server.host} is not known here: {error.strerror}"
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return str(error) or type(error).__name__
    return ""
