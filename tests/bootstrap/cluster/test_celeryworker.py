"""What runs inside of Celery's worker, with the few names of Airflow and Celery that it needs."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "bootstrap" / "cluster" / "celeryworker.py"

# stand-ins for Airflow, Celery and psycopg2; `rows` is what the head's table got
PRELUDE = """
import json, sys, types

def module(name, **values):
    found = types.ModuleType(name)
    found.__dict__.update(values)
    sys.modules[name] = found
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, found)

class Conf:
    values = {"broker_url": BROKER, "result_backend": "db+postgresql://r:p@head/airflow",
              "dags_folder": "/nonexistent", "plugins_folder": "/nonexistent"}
    def get(self, section, name):
        return self.values[name]
    def getint(self, section, name):
        return 3

class Signal:
    def __init__(self):
        self.to = []
    def connect(self, function, weak=True):
        self.to.append(function)

statements, wanted = [], [""]

class Cursor:
    def __enter__(self): return self
    def __exit__(self, *_): return False
    def execute(self, sql, values=()): statements.append((sql, values))
    def fetchone(self): return (wanted[0],)

class Link(Cursor):
    def cursor(self): return Cursor()
    def close(self): pass

for name in ("airflow", "airflow.providers", "airflow.providers.celery",
             "airflow.providers.celery.executors", "celery"):
    module(name)
module("airflow.configuration", conf=Conf())
module("airflow.providers.celery.executors.default_celery",
       DEFAULT_CELERY_CONFIG={"task_acks_late": True,
                              "broker_transport_options": {"visibility_timeout": 86400}})
module("celery.signals", worker_ready=Signal(), heartbeat_sent=Signal(), worker_shutdown=Signal())
module("celery.worker")
module("celery.worker.state", active_requests={1, 2})
asked = []
module("psycopg2", connect=lambda url, **_: asked.append(url) or Link())
module("airferry_sysinfo", mark=lambda dags, plugins: "d", bundle=lambda home: "b")
sys.path.insert(0, FOLDER)
import airferry_celery as tested

class Consumer:
    def __init__(self): self.done = []
    def call_soon(self, function, queue): self.done.append((function.__name__, queue))
    def cancel_task_queue(self, queue): pass
    def add_task_queue(self, queue): pass
"""


@pytest.fixture
def run(tmp_path: Path) -> Any:
    (tmp_path / "airferry_celery.py").write_text(SOURCE.read_text(encoding="utf-8"), encoding="utf-8")

    def told(code: str, broker: str = "redis://site/0", name: str = "w1") -> Any:
        head = f"BROKER, FOLDER = {broker!r}, {str(tmp_path)!r}\n"
        variables = {
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFERRY_WORKER": name,
            "AIRFERRY_QUEUES": '["w1", "gpu"]',
        }
        text = head + PRELUDE + textwrap.dedent(code)
        ran = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, env=variables, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    return told


def test_a_task_that_runs_is_never_sent_again_by_the_broker(run: Any) -> None:
    found = run("print(json.dumps({k: v for k, v in tested.CELERY_CONFIG.items()}))")
    assert found["task_acks_late"] is False
    assert found["broker_transport_options"] == {"visibility_timeout": 30 * 24 * 3600}
    assert found["broker_connection_max_retries"] is None
    assert found["task_publish_retry_policy"]["max_retries"] is None
    assert "broker_use_ssl" not in found


@pytest.mark.parametrize(
    ("broker", "option"), [("rediss://site/0", "ssl_ca_certs"), ("amqps://site/0", "ca_certs")]
)
def test_the_authority_of_a_site_is_the_only_one_that_counts(
    run: Any, tmp_path: Path, broker: str, option: str
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "broker-ca.pem").write_text("pem")
    found = run("print(json.dumps(tested.CELERY_CONFIG['broker_use_ssl']))", broker)
    assert found[option] == str(tmp_path / "secrets" / "broker-ca.pem")
    assert 2 in found.values()  # ssl.CERT_REQUIRED


@pytest.mark.parametrize("broker", ["redis://site/0", "amqp://site/0", "sqla+postgresql://r@head/airflow"])
def test_an_authority_that_is_left_over_makes_no_clear_broker_one_with_tls(
    run: Any, tmp_path: Path, broker: str
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "broker-ca.pem").write_text("pem")
    assert run("print(json.dumps('broker_use_ssl' in tested.CELERY_CONFIG))", broker) is False


def test_a_second_worker_of_a_name_leaves_the_row_of_the_first(run: Any) -> None:
    found = run(
        """
        import os
        tested._other = lambda: "elsewhere"
        os.kill = lambda *_: None
        tested._ready(sender=Consumer())
        tested._ended()
        refused = [sql for sql, _ in statements if "INSERT" in sql]
        tested.Known.another = False
        tested._ended()
        print(json.dumps([len(refused), len([sql for sql, _ in statements if "INSERT" in sql])]))
        """
    )
    assert found == [0, 1]


def test_a_report(run: Any) -> None:
    sql, values, url, told = run(
        """
        wanted[0] = "drain"
        told = tested._report()
        print(json.dumps([*statements[-1], asked[-1], told]))
        """
    )
    assert url == "postgresql://r:p@head/airflow"
    assert "ON CONFLICT" in sql
    assert "wanted =" not in sql.replace("RETURNING wanted", "")  # a worker never takes back a wish
    assert values[0] == "w1"
    assert values[2:6] == ["running", '["w1", "gpu"]', 2, 3]
    assert told == "drain"


def test_a_drain_is_obeyed_once_and_after_a_new_connection(run: Any) -> None:
    found = run(
        """
        first, second = Consumer(), Consumer()
        tested.Known.consumer = first
        for wish in ("drain", "drain", "", "drain"):
            tested._obey(wish)
        tested._ready(sender=second)
        print(json.dumps([first.done, second.done]))
        """
    )
    queues = [["cancel_task_queue", "w1"], ["cancel_task_queue", "gpu"]]
    back = [["add_task_queue", "w1"], ["add_task_queue", "gpu"]]
    assert found == [[*queues, *back, *queues], queues]


def test_a_worker_that_has_no_word_with_its_broker_says_so(run: Any) -> None:
    code = """
        tested.Known.word -= 70
        tested._report()
        print(json.dumps(statements[-1][1][-1]))
        """
    assert run(code) >= 70
    # a database as the broker sends no heartbeats
    assert run(code, "sqla+postgresql://r@head/airflow") == 0


def test_the_head_reads_settings_and_reports_nothing(run: Any) -> None:
    assert run("print(json.dumps(len(sys.modules['celery.signals'].worker_ready.to)))", name="") == 0
    assert run("print(json.dumps(len(sys.modules['celery.signals'].worker_ready.to)))") == 1


def test_messages_that_were_taken_and_old_results_are_removed(run: Any) -> None:
    found = run("tested._clean(); print(json.dumps([sql for sql, _ in statements if 'DELETE' in sql]))")
    assert any("celery_taskmeta" in sql for sql in found)
    assert any("kombu_message" in sql and "NOT visible" in sql for sql in found)
