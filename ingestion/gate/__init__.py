"""Gate 1, between raw and lake: rules for a row, and rules for an hour."""
