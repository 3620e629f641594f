"""Ways to give credentials to later steps: a module each, of the shape in `target`."""
