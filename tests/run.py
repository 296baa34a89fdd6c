#!/usr/bin/env python3
"""Runs all tests of the given builds in parallel and counts them. Called by ./run-tests; see there.

A job is a program that prints lines `ok NAME...` or `FAIL NAME...` (dialogues and system tests) or GoogleTest's own
lines. A job that ends with an error without a FAIL line counts as one failure; exit code 77 means skipped.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import shutil
import sys
import tempfile
import threading
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Where a daemon leaves what a sanitizer says of it; its own standard error goes nowhere.
REPORTS = tempfile.mkdtemp(prefix="culver-sanitizer-")
os.chmod(REPORTS, 0o777)
SANITIZER = {
    "ASAN_OPTIONS": f"detect_leaks=0:abort_on_error=1:log_path={REPORTS}/asan",
    "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={REPORTS}/ubsan",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:log_path={REPORTS}/tsan",
}
# Parts with threads: what ./run-tests --tsan looks at.
THREADED = ("unit-lib-base", "unit-lib-net", "unit-lib-storage", "unit-lib-auth", "unit-authd", "unit-imapd")
print_lock = threading.Lock()


class Job:
    def __init__(self, name, command, environment, seconds):
        self.name, self.command, self.seconds = name, command, seconds
        self.environment = {**os.environ, **environment}

    def run(self):
        start = time.monotonic()
        try:
            result = subprocess.run(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    stdin=subprocess.DEVNULL, env=self.environment, cwd=REPOSITORY, timeout=self.seconds)
            output, code = result.stdout.decode(errors="replace"), result.returncode
        except subprocess.TimeoutExpired as expired:
            output = (expired.stdout or b"").decode(errors="replace") + f"\nstill running after {self.seconds} s"
            code = 1
        passed = len(re.findall(r"^(?:ok |\[       OK \])", output, re.M))
        failed = len(re.findall(r"^(?:FAIL |\[  FAILED  \] \S+\.\S+ \()", output, re.M))
        skipped = code == 77
        if code not in (0, 77) and not failed:
            failed = 1
        self.report(passed, failed, skipped, output, time.monotonic() - start)
        return passed, failed, skipped

    def report(self, passed, failed, skipped, output, seconds):
        word = "skipped" if skipped else f"{passed} passed" + (f", {failed} FAILED" if failed else "")
        with print_lock:
            print(f"   {self.name}: {word} ({seconds:.0f} s)", flush=True)
            if failed:
                lines = [line for line in output.splitlines() if not re.match(r"ok |\[ +OK|\[ RUN|\[-----", line)]
                print("      | " + "\n      | ".join(lines[-80:]), flush=True)


def jobs_of(preset):
    build = os.path.join(REPOSITORY, "build", preset)
    environment = {"CULVER_BUILD": build, **(SANITIZER if preset != "release" else {})}
    for program in sorted(glob.glob(f"{build}/tests/unit-*")):
        name = os.path.basename(program)
        if preset != "tsan" or name in THREADED:
            yield Job(f"{preset}/{name}", [program], environment, 600)
    if preset == "tsan":
        return
    yield Job(f"{preset}/protocol", [sys.executable, "tests/protocol/run.py"], environment, 300)
    if preset == "release":
        yield Job("style", [sys.executable, "tests/style.py"], environment, 300)
        scripts = glob.glob(f"{REPOSITORY}/tests/system/*.py") + glob.glob(f"{REPOSITORY}/tests/protocol/*-compare.py")
        for script in sorted(scripts):
            more = ["--tool", f"{build}/tests/imap-tool"] if script.endswith("structure-compare.py") else []
            yield Job(f"{preset}/{os.path.basename(script)[:-3]}", [sys.executable, script, *more], environment, 600)


def print_sanitizer_reports():
    """Each report counts as a failure, whatever the test that caused it says."""
    reports = sorted(glob.glob(f"{REPORTS}/*"))
    for path in reports:
        with open(path, errors="replace") as file:
            print(f"   sanitizer report {os.path.basename(path)}:\n" + file.read()[:6000], flush=True)
    shutil.rmtree(REPORTS, ignore_errors=True)
    return len(reports)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--presets", default="release")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    jobs = [job for preset in options.presets.split(",") for job in jobs_of(preset)
            if not options.words or any(word in job.name for word in options.words)]
    print(f"== Testing: {len(jobs)} programs, {options.jobs} at a time", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(Job.run, jobs))
    passed, failed = sum(r[0] for r in results), sum(r[1] for r in results)
    skipped = sum(r[2] for r in results)
    failed += print_sanitizer_reports()
    if not passed:
        failed = max(failed, 1)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed else 0)


main()
