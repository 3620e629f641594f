"""Turns a workflow's OIDC identity into short-lived AWS credentials."""
