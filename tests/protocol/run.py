#!/usr/bin/env python3
"""Runs dialogues (imap/*.dialog, lmtp/*.dialog) against the server under test; CULVER_SERVER=dovecot for the reference.

A dialogue is a text that anyone can read:

    # What is shown, with the RFC's section.
    mailboxes: a a/b              made before the start
    messages: INBOX 3             so many small messages appended before the start (subjects "m1", "m2", ...)
    login: no                     the connections are not logged in (they are, otherwise)
    C1: r1 RENAME a a/b/c         a line that client 1 sends; \\r\\n inside starts a new line, \\x00 is a byte
    S1: r1 NO [CANNOT] *          a line that it must get; `*` (not at the start) matches anything, but \\* is the flag \\*
    S1~: * LIST (...) "/" x       neighbouring ~ lines may come in any order
    S1: ...                       any lines up to the one that matches the next S1 line
    S1[culver]: ..                only for that server; the comment above says why they differ
    X1:                           the connection must be closed by the server

Each dialogue has a user of its own. Prints `ok FILE` or `FAIL FILE` with the line that broke.
"""

import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from harness import private

private.enter()

from harness import simple
from harness.mail import Connection, make_message
from harness.server import IS_CULVER

SERVER = "culver" if IS_CULVER else "dovecot"


class Mismatch(Exception):
    pass


def pattern(expected):
    literal_start = expected.startswith("* ")
    body = expected[2:] if literal_start else expected
    text = ""
    for part in re.split(r"(\\\*|\*)", body):
        text += ".*" if part == "*" else re.escape(part)
    return re.compile((r"\* " if literal_start else "") + text + "$", re.S)


def unescape(text):
    return re.sub(r"\\(r|n|t|\\|x[0-9a-fA-F]{2})", lambda m: {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}.get(
        m.group(1)) or chr(int(m.group(1)[1:], 16)), text)


class Dialogue:
    def __init__(self, path, user, protocol):
        self.path, self.user, self.protocol = path, user, protocol
        self.clients = {}
        self.headers = {}
        self.steps = []
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                self.parse(number, line.rstrip("\n"))

    def parse(self, number, line):
        if not line.strip() or line.startswith("#"):
            return
        step = re.match(r"([CSX])(\d)(~?)(?:\[(\w+)\])?:(?: (.*))?$", line)
        if step:
            kind, client, loose, only, text = step.groups()
            if only in (None, SERVER):
                self.steps.append((number, kind, client, bool(loose), text or ""))
            return
        key, _, value = line.partition(":")
        self.headers.setdefault(key.strip(), []).append(value.strip())

    def connect(self, client):
        if client not in self.clients:
            if self.protocol == "lmtp":
                self.clients[client] = Connection(None, path=simple.LMTP_SOCKET, timeout=60)
            else:
                connection = self.clients[client] = Connection(143, timeout=60)
                if self.headers.get("login") != ["no"]:
                    connection.line()
                    answer = connection.command(f"login LOGIN {self.user} {simple.PASSWORD}")
                    if not answer or " OK " not in answer[-1]:
                        raise Mismatch(f"the login failed: {answer}")
        return self.clients[client]

    def prepare(self):
        if self.protocol != "imap":
            return
        wanted = " ".join(self.headers.get("mailboxes", [])).split()
        messages = self.headers.get("messages", [])
        if not wanted and not messages:
            return
        setup = Connection(143)
        setup.line()
        setup.command(f"login LOGIN {self.user} {simple.PASSWORD}")
        for name in wanted:
            if name != "INBOX":
                setup.command(f"s CREATE {name}")
        for entry in messages:
            box, count = entry.rsplit(" ", 1)
            for number in range(1, int(count) + 1):
                text = make_message(f"m{number}")
                setup.command(f'a APPEND {box} "0{number}-Feb-2024 10:00:00 +0000" {{{len(text)}+}}\r\n{text}')
        setup.command("z LOGOUT")
        setup.close()

    def run(self):
        self.prepare()
        index = 0
        while index < len(self.steps):
            number, kind, client, loose, text = self.steps[index]
            connection = self.connect(client)
            try:
                if kind == "C":
                    connection.send(unescape(text.replace("$USER", self.user)).encode("utf-8", "surrogateescape")
                                    + b"\r\n")
                elif kind == "X":
                    line = connection.line()
                    if line is not None:
                        raise Mismatch(f"got {line!r}, expected the end of the connection")
                elif loose:
                    group = []
                    while index < len(self.steps) and self.steps[index][3] and self.steps[index][2] == client:
                        group.append(self.steps[index][4])
                        index += 1
                    index -= 1
                    self.match_any_order(connection, group)
                elif text == "...":
                    index += 1
                    number, _, _, _, text = self.steps[index]
                    self.skip_to(connection, text)
                else:
                    self.match(connection, text)
            except Mismatch as problem:
                raise Mismatch(f"line {number}: {problem}")
            except TimeoutError:
                raise Mismatch(f"line {number}: nothing came within 60 s; expected {text!r}")
            index += 1

    def match(self, connection, text):
        line = connection.line()
        if line is None or not pattern(text.replace("$USER", self.user)).match(line):
            raise Mismatch(f"got {line!r}\n         expected {text!r}")

    def match_any_order(self, connection, group):
        remaining = [pattern(text.replace("$USER", self.user)) for text in group]
        for _ in group:
            line = connection.line()
            found = next((p for p in remaining if line is not None and p.match(line)), None)
            if found is None:
                raise Mismatch(f"got {line!r}\n         expected one of {group}")
            remaining.remove(found)

    def skip_to(self, connection, text):
        wanted, seen = pattern(text.replace("$USER", self.user)), []
        while True:
            line = connection.line()
            if line is None:
                raise Mismatch(f"no line matched {text!r}: {seen}")
            if wanted.match(line):
                return
            seen.append(line)

    def close(self):
        for connection in self.clients.values():
            connection.close()


def main():
    paths = [os.path.abspath(p) for p in sys.argv[1:]] or sorted(glob.glob(f"{HERE}/*/*.dialog"))
    users = {path: f"u{number}@example.test" for number, path in enumerate(paths)}
    server = simple.start("auth_failure_delay = 1 secs\nnamespace inbox {\n  mailbox Drafts {\n    special_use = "
                          "\\Drafts\n  }\n  mailbox Sent {\n"
                          "    special_use = \\Sent\n    auto = create\n  }\n}\n", users=list(users.values()))
    failed = 0
    for path in paths:
        name = os.path.relpath(path, HERE)
        dialogue = Dialogue(path, users[path], os.path.basename(os.path.dirname(path)))
        try:
            dialogue.run()
            print(f"ok {name}", flush=True)
        except (Mismatch, OSError) as problem:
            failed += 1
            print(f"FAIL {name}: {problem}", flush=True)
        dialogue.close()
    died = re.findall(r"^.*(?:Panic|killed with signal|core dumped).*$", server.log(), re.M)
    if died:
        failed += 1
        print("FAIL a process of the server died: " + "\n     ".join(died))
    if failed:
        print("--- the server's log ends:\n" + server.log()[-3000:])
    server.stop()
    sys.exit(1 if failed else 0)


main()
