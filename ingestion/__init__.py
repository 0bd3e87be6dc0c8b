"""Exchanges to lake: capture, normalise, gate. Imports neither Dagster nor dbt."""
