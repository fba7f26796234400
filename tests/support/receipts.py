"""A receipt in which no field is left at its default."""

from __future__ import annotations

from pathlib import Path

from bootstrap.state.receipt import Added, Database, Receipt


def sample(home: Path = Path("/home/사용자/airflow"), bundle_id: str = "3.3.2-cp311-0a1b2c3d4e") -> Receipt:
    """A receipt as an install of Airflow 3.3.2 writes it."""
    return Receipt(
        schema=4,
        airferry="0.1.0",
        airflow="3.3.2",
        bundle_id=bundle_id,
        bundle_file="airflow-3.3.2-cp311-manylinux_2_28_x86_64.run",
        bundle_sha256="0" * 64,
        bundle_seal="2" * 64,
        python="/usr/bin/python3.11",
        home=str(home),
        account="airflow",
        web_host="0.0.0.0",
        web_port=8080,
        log_port=8793,
        trigger_log_port=8794,
        parallelism=4,
        auth="fab",
        admin_user="admin",
        database=Database(
            "127.0.0.1",
            25432,
            "airflow",
            "airflow",
            "18.6",
            "/usr/lib/postgresql/18/bin",
            sslmode="verify-full",
            sslrootcert="/etc/ssl/certs/ca-certificates.crt",
            adopted=True,
        ),
        services="supervisor",
        library_path="/opt/python/lib",
        started="2026-10-01T12:30:00Z",
        completed="2026-10-01T12:31:00Z",
        ca_file="/etc/ssl/certs/ca-certificates.crt",
        ignored=("home-volatile",),
        previous="3.3.1-cp311-a0b1c2d3e4",
        added=(
            Added(
                "3.3.2-cp311-1b2c3d4e5f",
                "addon.run",
                "1" * 64,
                ("duckdb 1.4.0",),
                "2026-10-02T08:00:00Z",
                "3.3.2-cp311-0a1b2c3d4e",
                "3" * 64,
            ),
        ),
        removed="2026-11-01T12:00:00Z",
        timezone="Asia/Seoul",
    )
