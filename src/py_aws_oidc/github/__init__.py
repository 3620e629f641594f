"""What the runner offers; knows nothing of AWS."""
