"""Holds the stage to mcpcheck, without keys and with them.

    check.py TOLLBRIDGE MCPCHECK

Each of its checks must pass, and no warning may be left but one: a tool whose answer is empty
(204) describes no output.
"""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from judge import Staged, Tally  # noqa: E402

EXPECTED = [("schemas.output_schema_missing", "drop_book")]


def check(mcpcheck, stage, tally):
    where = "with a key" if stage.key else "without keys"
    token = ["--token", stage.key] if stage.key else []
    done = subprocess.run(
        [mcpcheck, "--json", "--legacy-probes", "--probe", "all", *token, stage.http],
        capture_output=True,
        text=True,
        timeout=400,
    )
    try:
        checks = json.loads(done.stdout)["checks"]
    except (ValueError, KeyError):
        checks = []
    tally.check(f"{where}: the verdict", done.returncode == 0 and checks, done.stderr + done.stdout)
    for one in checks:
        said = one["failures"] + [
            warning
            for warning in one["warnings"]
            if (warning["code"], warning["tool"]) not in EXPECTED
        ]
        holds = one["status"] in ("pass", "warn") and not one["error"] and not said
        said = [word["message"] for word in said] or one["summary"]
        tally.check(f"{where}: {one['name']}: {one['title']}", holds, said)


def main():
    binary, mcpcheck = sys.argv[1:]
    tally = Tally()
    for options in [["--http"], ["--http", "--keys"]]:
        with Staged(binary, *options) as stage:
            check(mcpcheck, stage, tally)
    tally.end()


if __name__ == "__main__":
    main()
