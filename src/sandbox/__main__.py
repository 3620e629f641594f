"""`python -m sandbox`: the demo, the generated pages, and runs with random faults."""

from __future__ import annotations

import sys
from pathlib import Path

from sandbox import demo, fuzz, reliability, signals, soak, texts, troubleshooting

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["demo"]:
            sys.exit(demo.main(sys.stdout))
        case ["reliability"]:
            sys.exit(reliability.main(sys.stdout))
        case ["troubleshooting"]:
            sys.exit(troubleshooting.main(sys.stdout))
        case ["texts"]:
            sys.exit(texts.main(Path.cwd()))
        case ["soak", *arguments]:
            sys.exit(soak.main(arguments, sys.stdout))
        case ["fuzz", *arguments]:
            sys.exit(fuzz.main(arguments, sys.stdout))
        case ["signals", *arguments]:
            sys.exit(signals.main(arguments, sys.stdout))
        case _:
            sys.exit(
                "usage: python -m sandbox demo | reliability | troubleshooting | texts | soak | fuzz | signals"
            )
