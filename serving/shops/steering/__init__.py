"""What changes an experiment while the service runs: decisions, of people and of policies.

Replicas follow the decisions and count what arms do, together; each judges the counts, and who is
first decides.
"""
