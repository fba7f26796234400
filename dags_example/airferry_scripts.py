"""Shell scripts that you have, every night or whenever you say, in the right order and with the right date.

You need no Python for this: write your scripts into the table scripts.csv beside this file. Only the settings
between the two lines of === may have to be changed here.
"""

from __future__ import annotations

import csv
import io
import logging
import re
import shlex
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.configuration import conf

# Airflow 3 keeps these in other places than Airflow 2; this finds them in both.
try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator
try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:
    from airflow.timetables.interval import CronDataIntervalTimetable

# ============================================================================================================

# When it starts, as in crontab: minute, hour, day of the month, month, weekday. "30 18 * * 1-5" is 18:30 from
# Monday to Friday.
STARTS = "0 0 * * *"

# The day that it works on: "yesterday", the day before it starts, as a job wants that starts after midnight
# for the day that is over; or "today", the day on which it starts, as a job in the evening for the same day.
WORKS_ON = "yesterday"

# The time zone of both. As it stands, that of this whole Airflow ([core] default_timezone in airflow.cfg);
# for another one write its name in quotes: "Asia/Seoul".
TIMEZONE = conf.get("core", "default_timezone")

# The table: name, script, after. See ABOUT.
TABLE = Path(__file__).with_name("scripts.csv")

# What every script gets as its first argument: the day that the run works on, as 2026-11-20.
DAY = "{{ day(dag_run) }}"

ABOUT = """
### Your shell scripts, in order

It starts at {starts} (as in crontab; time zone {zone}) and works on {works_on}.

The table `{table}` says what runs. One line for each script:

| column | what to write |
|---|---|
| `name` | a short name without blanks; it is shown in the web page |
| `script` | the script: a full path, or one that begins beside the table |
| `after` | the names that must have succeeded before, with blanks between them; empty: starts at once |

Each script is run with bash, as it is, and gets the day as its first argument: `{example} 2026-11-20`. It has
failed when its exit status is not 0; what comes after it then does not run. A changed table is read within a
minute; a mistake in it is shown in the web page as an import error, with the number of the line. Excel's CSV
files are read as well: UTF-8, UTF-16 or CP949, with `,` or `;` or tabs.

**The date belongs to the run, not to the clock:** a script that starts late, because those before it took
long, still gets the day of the run. In the scripts, replace `$(date +%F)` by `$1`.

#### To run days again, or days before this DAG was switched on

For 1, 2 and 3 November 2026{counted}:

Airflow 3 (the scheduler does the work, the command comes back at once):

    airflow backfill create --dag-id {dag_id} \\
        --from-date {first} --to-date {last}

Add `--reprocess-behavior completed` to run days again that have succeeded. While this DAG is switched off,
its backfill waits in the state "queued"; switch it on.

Airflow 2 (this command does the work; leave it running until it ends):

    airflow dags backfill {dag_id} \\
        --start-date {first} --end-date {last}

Add `--reset-dagruns --yes` to run days again that have succeeded.

Each day becomes a run of its own, with its own date. Airflow names a run by a moment in UTC, not by the day
that it works on: Airflow 3 by the moment at which it was due, Airflow 2 by that of the run before.{named}

#### To run one day by hand, or days that STARTS leaves out

Airflow 3: `airflow dags trigger {dag_id} --logical-date 2026-11-01T12:00{offset}`

Airflow 2: `airflow dags trigger {dag_id} --exec-date 2026-11-01T12:00{offset}`

Such a run works on the day that it is given, whatever WORKS_ON says; without a date, on the day on which it
was triggered. It waits, too, while this DAG is switched off. `airflow` is the command in the folder `bin` of
this installation.

#### When you switch it on

The last run that is over due starts at once. Days before it are not caught up.
"""

# ============================================================================================================

DAG_ID = "airferry_scripts"
log = logging.getLogger(__name__)
ZONE = pendulum.tz.local_timezone() if TIMEZONE == "system" else pendulum.timezone(TIMEZONE)
LATER = {"yesterday": 1, "today": 0}  # days from the day of a run to the one on which it starts
if WORKS_ON not in LATER:
    raise ValueError(f'WORKS_ON is {WORKS_ON!r}; it can be "yesterday" or "today"')


def day(dag_run) -> str:
    """The day of a run, counted from the moment at which it was due, however late it starts.

    A run by hand has the date that it was given, or that of its triggering. {{ ds }} is something else: the
    date in UTC of the moment at which the run before was due.
    """
    if dag_run.run_type in ("scheduled", "backfill"):
        due = dag_run.data_interval_end.astimezone(ZONE).date()
        return (due - timedelta(days=LATER[WORKS_ON])).isoformat()
    moment = getattr(dag_run, "logical_date", None) or dag_run.run_after
    return moment.astimezone(ZONE).date().isoformat()


def about(text: str, **more: str) -> str:
    """The text with the dates of this DAG. Airflow dates a run by the moment at which the last was due."""
    dates = [pendulum.datetime(2026, 11, number, tz=ZONE).add(days=LATER[WORKS_ON] - 1) for number in (1, 3)]
    first, last = (date.format("YYYY-MM-DD") for date in dates)
    named, at = "", re.match(r"(\d+) (\d+) ", STARTS)
    if at:
        before = dates[0].add(hours=int(at[2]), minutes=int(at[1]))
        due = before.add(days=1).in_timezone("UTC").isoformat()
        before = before.in_timezone("UTC").isoformat()
        named = f"\nThe run of 1 November is called backfill__{due}, in Airflow 2 backfill__{before}."
    offset = dates[0].format("Z")
    return text.format(
        dag_id=DAG_ID,
        starts=STARTS,
        zone=TIMEZONE,
        works_on={"yesterday": "the day before it starts", "today": "the day on which it starts"}[WORKS_ON],
        counted="" if LATER[WORKS_ON] else " (which Airflow counts from the runs before them, a day earlier)",
        first=f"{first}T00:00{offset}",
        last=f"{last}T23:59{offset}",
        named=named,
        offset=offset,
        **more,
    )


def read_text(path: Path) -> str:
    """The text of the table: UTF-8, or as Excel saves it (UTF-16 with its mark; CP949 in Korea)."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")

    def line(position: int) -> int:
        return len(re.split(rb"\r\n|\r|\n", data[:position]))

    if b"\0" in data:
        number = line(data.index(b"\0"))
        raise ValueError(f"{path}: line {number}: a NUL character. Save the table as 'CSV UTF-8'.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = line(error.start)
    try:
        text = data.decode("cp949")
    except UnicodeDecodeError:
        problem = f"line {number}: a character that is not UTF-8. Save the table as 'CSV UTF-8'."
        raise ValueError(f"{path}: {problem}") from None
    log.warning("%s: line %s is not UTF-8; the table was read as CP949", path, number)
    return text


def read_cells(text: str) -> list:
    """The lines of the table as (number, cells). Excel writes ; or a tab for the comma in some countries."""
    plain = [line for line in text.splitlines() if line.strip().strip(',;"') and "#" not in line.split()[0]]
    if plain and plain[0].strip().lower().startswith("sep="):
        text = text.replace(plain[0], "", 1)
        separator = plain[0].strip()[4:] or ","
    else:
        separator = max(",;\t", key=plain[0].count) if plain else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return [(reader.line_num, [cell.strip("\ufeff").strip() for cell in cells]) for cells in reader]


def read_table(path: Path) -> list:
    """The rows of the table as (name, script, names before it); every mistake in it is told at once."""
    rows, problems = [], []
    for line, cells in read_cells(read_text(path)):
        name, script, after = (cells + ["", "", ""])[:3]
        if name.startswith("#") or not any(cells):
            continue
        if (name.lower(), script.lower()) == ("name", "script"):
            continue
        if any("\n" in cell or "\r" in cell for cell in cells):
            problems.append(f'line {line}: a quote (") that begins in a line above has no end there')
            continue
        if any(cells[3:]):
            more = " ".join(filter(None, cells[3:]))
            problems.append(f"line {line}: {more!r} is a fourth column; the third has blanks between names")
        file = path.parent / script
        known = [row[0] for row in rows]
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            problems.append(f"line {line}: the name {name!r} may have only letters, digits and _ . -")
        if name in known:
            problems.append(f"line {line}: there is another line with the name {name!r}")
        if not script or not file.is_file():
            problems.append(f"line {line}: there is no file {file}")
        for other in after.split():
            if other not in known:
                problems.append(f"line {line}: {name!r} comes after {other!r}, which is no name above it")
        rows.append((name, file, after.split()))
    if problems:
        raise ValueError(f"{path}: " + "; ".join(problems))
    return rows


SETTINGS = {
    "dag_id": DAG_ID,
    "description": f"The shell scripts of {TABLE.name}, at {STARTS} ({TIMEZONE}), for {WORKS_ON}",
    "doc_md": about(ABOUT, table=str(TABLE), example=str(TABLE.parent / "scripts" / "collect.sh")),
    "start_date": pendulum.datetime(2024, 1, 1, tz=ZONE),
    "catchup": False,  # when switched on: do not run all the days since start_date
    "tags": ["airferry"],
    "user_defined_macros": {"day": day},
}
# Not the text alone: it would mean other moments in Airflow 2 than in Airflow 3.
TIMETABLE = CronDataIntervalTimetable(STARTS, timezone=ZONE)

try:
    dag = DAG(schedule=TIMETABLE, **SETTINGS)
except TypeError:  # Airflow 2.2 and 2.3
    dag = DAG(timetable=TIMETABLE, **SETTINGS)

with dag:
    tasks = {}
    for name, script, after in read_table(TABLE):
        # bash reads the script, so it need not be executable; the day behind it keeps Airflow from taking
        # a command that ends in .sh for the name of a template.
        tasks[name] = BashOperator(task_id=name, bash_command=f"bash {shlex.quote(str(script))} {DAY}")
        for other in after:
            tasks[other] >> tasks[name]
