"""Answers to customers' questions: a collection, what in it answers a question, and how sure."""
