#!/usr/bin/env python3
"""Compares Culver's doveconf with Debian's on the small configurations in tests/protocol/doveconf.

Each NAME.conf is read by both with -n, and with the options that its line "# options: ..." names. What they print
must be equal, and so must be the first error or warning. A line "# accepted: ..." says why a case differs on purpose;
it then has to differ, so that nothing stays on the list by mistake.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "doveconf")
CULVER = os.path.join(os.environ.get("CULVER_BUILD", os.path.join(HERE, "../../build/release")), "bin/doveconf")
DOVECOT = os.environ.get("REFERENCE_DOVECONF", "/usr/bin/doveconf")


def is_debians(program):
    if not os.path.exists(program):
        return False
    out = subprocess.run([program, "-c", "/dev/null"], capture_output=True, text=True).stdout
    return "Culver" not in out.split("\n", 1)[0]


def run(program, name, options):
    result = subprocess.run([program, *options, "-c", name], cwd=FOLDER, capture_output=True, text=True,
                            errors="replace",
                            timeout=120, env={"PATH": "/usr/bin:/bin", "HOME": "/root"})
    lines = [line for line in result.stdout.splitlines() if not line.startswith("# ")]
    messages = [line for line in result.stderr.splitlines()
                if re.match(r"doveconf: (Fatal|Warning|Error): ", line) and not is_culvers_own(line)]
    # A cross-check of Dovecot comes twice: as Error, and as Fatal with the file; only Culver names the line.
    messages = [re.sub(r"^doveconf: (Fatal|Error): (Error in configuration file \S+?( line \d+)?: )?", "", line)
                if " Warning: " not in line else line for line in messages]
    seen = []
    for message in messages:
        if message not in seen:
            seen.append(message)
    failed = result.returncode != 0
    return failed, lines if not failed else [], seen[:1] if failed else seen


def is_culvers_own(line):
    """Warnings that Dovecot has no word for."""
    return "Warning: " in line and ("does not act on it yet" in line or "is a decimal number" in line)


def compare(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    asked = re.search(r"^# options: (.*)$", text, re.M)
    accepted = re.search(r"^# accepted: (.*)$", text, re.M)
    for options in [["-n"]] + ([asked.group(1).split()] if asked else []):
        culver, dovecot = run(CULVER, name, options), run(DOVECOT, name, options)
        if (culver == dovecot) == (accepted is None):
            continue
        print(f"FAIL doveconf {' '.join(options)} -c {name}"
              + (" (equal, though listed as different)" if accepted else ""))
        for who, (failed, lines, messages) in (("Culver ", culver), ("Dovecot", dovecot)):
            print(f"   {who} {'fails' if failed else 'prints'}:", *messages, *lines, sep="\n      ")
        return False
    print(f"ok doveconf {name}")
    return True


def compare_defaults():
    """-a of an empty file: only the settings of Culver's own processes differ, and those that Dovecot does not have."""
    expected = {"client_limit", "service_count"}
    own = {"auth_app_password_required", "auth_app_passwords", "auth_password_upgrade_scheme"}
    sides = [run(program, "empty.conf", ["-a"])[1] for program in (CULVER, DOVECOT)]
    known = {"managesieve"}
    blocks = []
    for lines in sides:
        found, block = {}, ""
        for line in lines:
            if line.startswith("service "):
                block = line
            elif line == "}":
                block = ""
            if "{" in line or "}" in line:
                continue
            key = f"{block} {line.split(' = ')[0]}"
            found.setdefault(key, []).append(line)
        blocks.append({k: v for k, v in found.items() if not any(word in k for word in known)})
    wrong = [key for key in set(blocks[0]) | set(blocks[1])
             if blocks[0].get(key) != blocks[1].get(key) and key.split()[-1] not in expected | own]
    wrong += [f"{name} is Dovecot's too" for name in own if f" {name}" in blocks[1]]
    print("FAIL defaults differ: " + ", ".join(sorted(wrong)) if wrong else "ok defaults are Dovecot's")
    return not wrong


def main():
    if not is_debians(DOVECOT):
        print("Debian's doveconf is not installed")
        return 77
    names = sorted(name for name in os.listdir(FOLDER) if name.endswith(".conf"))
    words = sys.argv[1:]
    results = [compare(name) for name in names if not words or any(word in name for word in words)]
    if not words:
        results.append(compare_defaults())
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
