"""A check of a GPU, packed to be carried to a host that reaches nothing: docs/gpu.md."""
