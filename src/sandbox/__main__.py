"""`python -m sandbox demo`: the story of a run, told by running it."""

from __future__ import annotations

import sys

from sandbox import demo

if __name__ == "__main__":
    if sys.argv[1:] != ["demo"]:
        sys.exit("usage: python -m sandbox demo")
    sys.exit(demo.main(sys.stdout))
