"""Alerts: a label rises against its own history (docs/classify.md, docs/adr/0047)."""
