"""What a head's log says of workers that it refused, as Airflow 3.3 writes it."""

from __future__ import annotations

from bootstrap.doctor.checks import cluster as checks
from bootstrap.examination.cluster import ClusterFacts
from bootstrap.examination.installed import Installed
from bootstrap.installed import refusals
from bootstrap.installed.crew import Crew
from bootstrap.installed.refusals import WorkerRefusal
from wheelhouse import timestamp

_FUTURE = "The signature of the request was sent from the future"
_API = "edge_worker/v1"
_AUTH = "[airflow.providers.edge3.worker_api.auth]"
_ACCESS = "[info     ] request finished [http.access] duration_us=1"
LOG = f"""\
2026-11-28T16:00:00.437530Z [error    ] The signature of the request was wrong error_id=2c-1 {_AUTH}
2026-11-28T16:00:00.439627Z {_ACCESS} method=PATCH path=/{_API}/worker/queues/w1 query= status_code=403
2026-11-28T16:24:10.437530Z [error    ] The signature of the request was wrong error_id=2c-2 {_AUTH}
Traceback (most recent call last):
jwt.exceptions.InvalidSignatureError: Signature verification failed
2026-11-28T16:24:10.439627Z {_ACCESS} method=PATCH path=/{_API}/worker/queues/w1 query= status_code=403
2026-11-28T16:24:10.500000Z {_ACCESS} method=POST path=/{_API}/jobs/fetch/w2 query= status_code=200
2026-11-28T16:24:11.437530Z [error    ] The signature of the request was wrong error_id=2c-3 {_AUTH}
2026-11-28T16:24:11.439627Z {_ACCESS} method=POST path=/path/{_API}/worker/w1 query= status_code=403
2026-11-28T16:24:12.437530Z [error    ] {_FUTURE} error_id=2 {_AUTH}
2026-11-28T16:24:12.439627Z {_ACCESS} method=POST path=/{_API}/worker/w3 query= status_code=403
"""
SINCE = timestamp.parse("2026-11-28T16:20:00Z").timestamp()


def test_who_was_refused_lately_and_why() -> None:
    first, second = refusals.of_lines(LOG.splitlines(), SINCE)
    assert first == WorkerRefusal(
        "w1", "The signature of the request was wrong", "2026-11-28T16:24:11.439627Z", 2
    )
    assert (second.name, second.reason) == ("w3", "The signature of the request was sent from the future")


def test_doctor_quotes_the_reason() -> None:
    facts = ClusterFacts(head=Crew("edge", (), ()), refused=refusals.of_lines(LOG.splitlines(), SINCE))
    key, clock = checks.check(Installed("/opt/airflow", "3.3.2", "airflow.run", True, cluster=facts))
    assert key.id == clock.id == "worker-refused"
    assert "2 times" in key.found
    assert "The signature of the request was wrong" in key.found
    assert "workers invite w1" in key.commands[0]
    assert "clock" in clock.remedy
    assert clock.commands == ()
