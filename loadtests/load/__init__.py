"""Load as storefronts make it, with Locust, judged by gates."""
