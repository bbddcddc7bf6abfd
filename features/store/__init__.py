"""Feast online and offline, from the settings to rows."""
