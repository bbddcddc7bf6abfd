"""One fault at a time under load: nothing accepted may be lost."""
