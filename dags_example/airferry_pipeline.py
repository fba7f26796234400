"""Three jobs, one after the other: A, then B, then C, every night or whenever you say.

If you know cron and no Python: only the part between the two lines of === is meant for you.
"""

from __future__ import annotations

import re
from datetime import timedelta

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

# The day that a run works on, as 2026-11-20. It belongs to the run, so it is the same in A, B and C, however
# late they start. Write it wherever a cron job would have asked the clock with $(date +%F).
DAY = "{{ day(dag_run) }}"

JOBS = [
    # name, command; each starts when the one above it has succeeded
    ("A", f"echo 'A collects what happened on {DAY}'; sleep 1"),
    ("B", f"echo 'B adds up {DAY}, and that is still the day of A'"),
    ("C", f"echo 'C sends the report of {DAY}'"),
]

ABOUT = """
### A, then B, then C

It starts at {starts} (as in crontab; time zone {zone}) and works on {works_on}.
**The date belongs to the run, not to the clock.**

As three lines of cron, each job would ask the clock for the date. On the night on which A takes until after
midnight, B would work on the wrong day, and nobody would see an error. Here B and C wait for A, for as long
as it takes, and all three get the day of the run.

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

DAG_ID = "airferry_pipeline"
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


SETTINGS = {
    "dag_id": DAG_ID,
    "description": f"A, then B, then C, at {STARTS} ({TIMEZONE}), for {WORKS_ON}",
    "doc_md": about(ABOUT),
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
    before = None
    for name, command in JOBS:
        task = BashOperator(task_id=name, bash_command=command)
        if before is not None:
            before >> task
        before = task
