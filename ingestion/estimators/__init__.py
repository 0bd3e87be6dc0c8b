"""Algorithms that SQL expresses badly, as pure functions from lake tables to lake tables."""
