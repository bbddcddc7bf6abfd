"""The wire contract: what comes in is validated here, once."""
