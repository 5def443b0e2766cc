"""What every judge in Python needs: its tally, and the stage at hand. Standard library only."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

LIB = pathlib.Path(__file__).resolve().parent


class Tally:
    """Counts the checks, and prints one line for each."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, holds, why=""):
        if holds:
            self.passed += 1
            print(f"ok      {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED  {what}: {str(why)[:2000]}", flush=True)

    def cannot(self, what, reason):
        """Not a check: this client has no way to do it."""
        print(f"n/a     {what}: {reason}", flush=True)

    def end(self):
        """The last line, and the status."""
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


class Staged:
    """A stage (stage.py) in its own process, as a context manager.

    What it said of itself are attributes: `config`, `binary`, `http`, `key` and so on.
    """

    def __init__(self, binary, *options):
        self.command = [sys.executable, str(LIB / "stage.py"), str(binary), *options]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"there is no stage: exit {self.process.wait()}")
        self.about = json.loads(line)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __getattr__(self, name):
        try:
            return self.__dict__["about"][name]
        except KeyError:
            raise AttributeError(name) from None

    def control(self, what, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.about['control']}/{what}", data=data)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"control {what}: {error.read().decode()}") from None

    def seen(self):
        return self.control("seen")

    def reset(self):
        self.control("reset", {})

    def approve(self, hold):
        return self.control("approve", {"id": hold})

    def tools(self, without, more=""):
        self.control("tools", {"without": without, "more": more})

    def trail(self, tool=None, limit=100):
        """Calls on record, oldest first; of one tool, where it is named."""
        calls = self.control(f"trail?limit={limit}")["calls"]
        return [call for call in calls if tool in (None, call["tool"])]

    def run(self, *words):
        """`tollbridge WORDS…` on the stage's configuration: its standard output."""
        command = [self.binary, *words, "--config", self.config]
        env = os.environ | self.env
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"tollbridge {' '.join(words)}: exit {done.returncode}: {done.stderr}")
        return done.stdout


def causes(error):
    """What is behind a group of exceptions."""
    inner = getattr(error, "exceptions", None)
    return "; ".join(map(causes, inner)) if inner else repr(error)


def status_of(url, headers, body):
    """The status that a POST is answered with."""
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
