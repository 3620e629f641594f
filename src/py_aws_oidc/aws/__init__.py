"""AWS: its calls, errors, ARNs, credentials and profiles; imports nothing of GitHub."""
