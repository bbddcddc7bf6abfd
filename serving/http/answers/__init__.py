"""Answers to customers' questions on the wire: the collection, and what in it answers one."""
