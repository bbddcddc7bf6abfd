"""An interleaved experiment read: what shoppers did with the picks of each of the two arms."""
