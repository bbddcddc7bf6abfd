"""What a floor of exposure holds, and what it costs."""
