"""Exploration, proven: propensities are true, and a simulated shop answers with clicks."""
