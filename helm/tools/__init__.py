"""Helm itself, the chart through it, and k8s/vitrine.yaml."""
