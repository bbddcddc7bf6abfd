"""Turns a log into cases and cases into slates; splits them into periods."""
