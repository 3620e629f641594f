"""Turns a workflow's OIDC identity into short-lived AWS credentials."""

__version__ = "0.1.0"
