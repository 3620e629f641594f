"""Why AWS said no."""
