"""A runner, a token issuer and AWS on loopback: for the demo and the tests, never in the image."""
