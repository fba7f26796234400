"""Several Airflow commands in one process: run by Airflow's own Python, asked for in JSON on standard input.

Importing Airflow takes seconds, most commands a tenth of one. The public entry point is called once for each
command; the first that fails ends the process with its exit status. A password in a command is never in the
arguments of a process, where everybody on the host could read it.
"""

import json
import sys
import traceback
from typing import Any

from airflow.__main__ import main as airflow  # type: ignore[import-not-found]


def run(arguments: "list[str]") -> int:
    """Run one command as the console script would; its exit status."""
    sys.argv = ["airflow", *arguments]
    try:
        airflow()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except Exception:  # noqa: BLE001  # what the interpreter itself would do with it
        traceback.print_exc()
        return 1
    return 0


def limit_waiting(seconds: int) -> None:
    """Have every connection to the database give up a lock that it does not get within `seconds`."""
    from sqlalchemy import event, pool  # type: ignore[import-not-found]  # noqa: PLC0415

    @event.listens_for(pool.Pool, "connect")  # type: ignore[untyped-decorator]
    def limit(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = '{seconds}s'")
        cursor.close()
        connection.commit()  # or the first rollback would take it back


def main() -> None:
    """Run the commands in order, up to the first that fails."""
    asked = json.load(sys.stdin)
    commands = asked["commands"]
    if asked["lock_seconds"]:
        limit_waiting(asked["lock_seconds"])
    for position, arguments in enumerate(commands, 1):
        status = run(arguments)
        sys.stdout.flush()
        if status:
            # the first two words name a command; the rest may hold a password
            name = " ".join(arguments[:2])
            sys.stderr.write(f"airflow {name} (command {position} of {len(commands)}) failed: {status}\n")
            sys.exit(status)


main()
