"""Builds, signs, publishes and verifies releases. It is never part of the image, and needs no package but Python's own."""
