"""A new password for an account of Flask AppBuilder's: run by Airflow's own Python, input as JSON on stdin.

``airflow users reset-password`` came with 2.9 only, and starts the whole web application. What it does in the
end is this: the hash of werkzeug, which checks it at the login, into the account's row; its roles stay.
"""

import json
import sys

from airflow.configuration import conf  # type: ignore[import-not-found]
from sqlalchemy import create_engine, text  # type: ignore[import-not-found]
from werkzeug.security import generate_password_hash  # type: ignore[import-not-found]

UNKNOWN = 3


def main() -> int:
    """Set it; the exit status is UNKNOWN when there is no such account."""
    wanted = json.load(sys.stdin)
    engine = create_engine(conf.get(*wanted["database"]))
    changed = text("UPDATE ab_user SET password = :hashed WHERE username = :user")
    with engine.begin() as connection:
        hashed = generate_password_hash(wanted["password"])
        found = connection.execute(changed, {"hashed": hashed, "user": wanted["user"]}).rowcount
        if found:
            return 0
        names = connection.execute(text("SELECT username FROM ab_user ORDER BY username"))
        sys.stdout.write(", ".join(str(row[0]) for row in names) + "\n")
    return UNKNOWN


sys.exit(main())
