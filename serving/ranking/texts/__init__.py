"""Texts that are ranked and no items: answers to a customer's question."""
