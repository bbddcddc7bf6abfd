"""What there is to learn from."""


class MaterialError(Exception):
    """There is nothing, or too little, or it cannot be read; the message says what is wrong."""
