"""Taking over an Airflow that is there: looked at, packed as its owner, and brought in as the account."""
