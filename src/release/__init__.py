"""Builds, signs, publishes and verifies releases, with nothing but Python's own library. It is never in the image."""
