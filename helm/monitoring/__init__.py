"""Writes the chart's dashboards and alerts; `make dashboards` runs it."""
