"""Three jobs a night, one after the other: A, then B, then C.

If you know cron and no Python: only the part between the two lines of === is meant for you.
"""

from __future__ import annotations

import pendulum

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

# Days begin and end at midnight in this time zone, for example "Asia/Seoul".
TIMEZONE = "UTC"

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
### A, then B, then C, every night, for the day that has just ended

The run of a day starts when that day is over: at midnight, {timezone}.
**The date belongs to the run, not to the clock.**

As three lines of cron, each job would ask the clock for the date. On the night on which A takes until after
midnight, B would work on the wrong day, and nobody would see an error. Here B and C wait for A, for as long
as it takes, and all three get the day of the run.

#### To run days again, or days before this DAG was switched on

Give the first and the last day; each day becomes a run of its own, with its own date.

Airflow 3 (the scheduler does the work, the command comes back at once):

    airflow backfill create --dag-id {dag_id} \\
        --from-date 2026-11-01T00:00{offset} --to-date 2026-11-03T00:00{offset}

Add `--reprocess-behavior completed` to run days again that have succeeded. (Airflow 3 names a run after the
moment at which it is due, so the run of 1 November is called backfill__2026-11-02.)

Airflow 2 (this command does the work; leave it running until it ends):

    airflow dags backfill {dag_id} \\
        --start-date 2026-11-01T00:00{offset} --end-date 2026-11-03T00:00{offset}

Add `--reset-dagruns --yes` to run days again that have succeeded.

#### To run one day by hand

Airflow 3: `airflow dags trigger {dag_id} --logical-date 2026-11-01T00:00{offset}`

Airflow 2: `airflow dags trigger {dag_id} --exec-date 2026-11-01T00:00{offset}`

A run of Airflow 3 that is triggered without a date takes the day on which it was triggered.
`airflow` is the command in the folder `bin` of this installation.
"""

# ============================================================================================================

ZONE = pendulum.timezone(TIMEZONE)


def day(dag_run) -> str:
    """The day of a run: that of its logical date, or of its triggering when it was given none.

    {{ ds }} is the same when TIMEZONE is "UTC". Elsewhere it is not: it is always the date in UTC.
    """
    moment = getattr(dag_run, "logical_date", None) or dag_run.run_after
    return moment.astimezone(ZONE).strftime("%Y-%m-%d")


DAG_ID = "airferry_pipeline"
OFFSET = pendulum.datetime(2026, 11, 1, tz=ZONE).format("Z")
SETTINGS = {
    "dag_id": DAG_ID,
    "description": "A, then B, then C, every night, for the day that has just ended",
    "doc_md": ABOUT.format(dag_id=DAG_ID, timezone=TIMEZONE, offset=OFFSET),
    "start_date": pendulum.datetime(2024, 1, 1, tz=ZONE),
    "catchup": False,  # when switched on: do not run all the days since start_date
    "tags": ["airferry"],
    "user_defined_macros": {"day": day},
}
# Said in full: "@daily" alone means the day before in Airflow 2, and the day itself in Airflow 3.
NIGHTLY = CronDataIntervalTimetable("0 0 * * *", timezone=ZONE)

try:
    dag = DAG(schedule=NIGHTLY, **SETTINGS)
except TypeError:  # Airflow 2.2 and 2.3
    dag = DAG(timetable=NIGHTLY, **SETTINGS)

with dag:
    before = None
    for name, command in JOBS:
        task = BashOperator(task_id=name, bash_command=command)
        if before is not None:
            before >> task
        before = task
