"""How a judge in Python counts: a line a check, and the last line and status that all share."""


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def ok(self, what):
        self.passed += 1
        print(f"ok      {what}", flush=True)

    def fail(self, what, why):
        self.failed += 1
        print(f"FAILED  {what}: {why}", flush=True)

    def check(self, what, holds, why):
        if holds:
            self.ok(what)
        else:
            self.fail(what, why)

    def end(self):
        """Prints the last line; the judge's exit status."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0
