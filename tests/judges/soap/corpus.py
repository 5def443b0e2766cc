"""What a judge asks the bridge's encoder for: every operation of every document, several times.

Importing it puts the judges' shared folders on the path; `--smoke`, `--only PART-OF-A-PATH` and
`--verbose` are read from the command line.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from made import Unable, drawn  # noqa: E402
from wire import CORPUS, OURS  # noqa: E402

SMOKE = "--smoke" in sys.argv
VERBOSE = "--verbose" in sys.argv
ONLY = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
FILLS = [("least", ""), ("most", ""), *[("random", seed) for seed in range(2 if SMOKE else 4)]]


def documents(tally, wire):
    """(path, its folder, how it is shown) of each WSDL document."""
    for folder in [*OURS, *([] if SMOKE else [CORPUS])]:
        if not folder.is_dir():
            tally.cannot("the corpus", f"{folder} is not there")
            continue
        for file in wire.ask(documents=str(folder))["files"]:
            path = pathlib.Path(file)
            shown = str(path.relative_to(folder))
            if ONLY in shown:
                yield path, folder, shown


def draws(wire, operation, shown, unmade):
    """(fill, arguments, what the encoder says, refusals on the way) of an operation's messages.

    `unmade` is called with the fill and the reason where no arguments are found.
    """
    key = operation["id"]
    for fill, seed in FILLS:
        kept = {}

        def accepted(arguments):
            kept["said"] = wire.encode(key, arguments)
            refused = kept["said"].get("refused")
            return None if refused is None else (kept["said"].get("pointer", ""), refused)

        try:
            arguments, refusals = drawn(operation["input"], f"{shown} {key} {seed}", fill, accepted)
        except (Unable, RecursionError) as error:
            unmade(fill, error)
            continue
        yield fill, arguments, kept["said"], refusals
