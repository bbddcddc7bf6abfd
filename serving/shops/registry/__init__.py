"""The shops of an installation beside the default one: registered by API, opened, followed."""
