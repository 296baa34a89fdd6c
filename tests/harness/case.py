"""The frame of a system test: a file with functions test_..., run in order in one private machine.

    from harness import case, private
    def test_mail_arrives(): ...
    if __name__ == "__main__":
        case.main(globals())

Each function prints one line, `ok FILE NAME` or `FAIL FILE NAME` with what broke; the exit code is 1 if any failed,
77 if nothing could run. Names given as arguments select functions.
"""

import os
import sys
import time
import traceback


def main(names, private=True):
    if private:
        from . import private as machine
        machine.enter()
    file = os.path.basename(sys.argv[0]).removesuffix(".py")
    wanted = sys.argv[1:]
    failed = 0
    for name, function in list(names.items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        start = time.monotonic()
        try:
            function()
            print(f"ok {file} {name} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {file} {name}\n    " + traceback.format_exc().strip().replace("\n", "\n    "), flush=True)
    for cleanup in names.get("CLEANUP", []):
        try:
            cleanup()
        except Exception:
            pass
    sys.exit(1 if failed else 0)
