"""Airflow as this project sees it: releases and what differs between them, airflow.cfg, commands, health."""
