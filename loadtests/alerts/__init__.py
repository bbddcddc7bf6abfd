"""Simulates years of labelled texts: how often alerts are wrong, and which rises they find."""
