"""The runner: its ID token, workflow commands, files and context; imports nothing of AWS."""
