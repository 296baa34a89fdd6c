#!/usr/bin/env python3
"""A mailbox goes from Dovecot to Culver, back, and to Culver again; nothing a client remembers changes."""

import imaplib
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, simple
from harness.mail import Connection, lmtp_deliver, make_message
from harness.server import install
from harness.simple import PASSWORD, USER

CULVER, DOVECOT = "/opt/culver/sbin/dovecot", "/usr/sbin/dovecot"
BOXES = ["INBOX", "Sent", "A/B/C", "Entw\u00fcrfe"]
state = {"modseq": {}}


def encoded(name):
    return name.replace("\u00fc", "&APw-")


def run_server(program, work):
    server = state["server"] = simple.start(program=program)
    try:
        return work()
    finally:
        server.stop()


def login():
    client = imaplib.IMAP4("127.0.0.1", 143)
    client.login(USER, PASSWORD)
    return client


def what_a_client_remembers():
    """Per mailbox: UIDVALIDITY, UIDNEXT, and for each UID flags, keywords, INTERNALDATE, size, subject; subscriptions."""
    client = login()
    memory = {"subscribed": sorted(client.lsub()[1])}
    for box in BOXES:
        assert client.select(encoded(box), readonly=True)[0] == "OK", box
        messages = {}
        for item in client.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
            if not isinstance(item, tuple):
                continue
            text = item[0].decode()
            uid = int(re.search(r"UID (\d+)", text).group(1))
            flags = frozenset(re.search(r"FLAGS \(([^)]*)\)", text).group(1).split()) - {"\\Recent"}
            messages[uid] = (flags, re.search(r'INTERNALDATE "([^"]+)"', text).group(1),
                             re.search(r"RFC822.SIZE (\d+)", text).group(1), item[1])
        status = client.status(encoded(box), "(UIDVALIDITY UIDNEXT MESSAGES UNSEEN)")[1][0].decode().split("(")[1]
        memory[box] = (status, messages)
    client.logout()
    return memory


def highest_modseqs():
    client = login()
    client._simple_command("ENABLE", "CONDSTORE")
    found = {box: int(re.search(rb"HIGHESTMODSEQ (\d+)", client.status(encoded(box), "(HIGHESTMODSEQ)")[1][0]).group(1))
             for box in BOXES}
    client.logout()
    return found


def differences(before, after):
    return [f"{box}: {before[box]} became {after[box]}" for box in before if before[box] != after[box]]


def test_dovecot_fills_the_mailboxes():
    install("/opt/culver")

    def fill():
        client = login()
        for box in BOXES[1:]:
            assert client.create(encoded(box))[0] == "OK"
            client.subscribe(encoded(box))
        for number in range(60):
            client.append(encoded(BOXES[number % 4]), "(\\Seen)" if number % 3 else None,
                          f'"{1 + number % 28:02d}-Feb-2024 10:00:00 +0100"', make_message(f"m{number}").encode())
        for number in range(10):
            lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message(f"delivered {number}"))
        client.select("INBOX")
        for number in range(31):
            client.store(f"{1 + number % 15}", "+FLAGS", f"(kw{number})")
        client.store("2,4", "+FLAGS", "(\\Flagged \\Answered)")
        client.store("5:7", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.logout()
        lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message("still in new"))
        state["memory"], state["modseq"] = what_a_client_remembers(), highest_modseqs()
    run_server(DOVECOT, fill)


def test_culver_shows_the_same():
    def look():
        assert not differences(state["memory"], what_a_client_remembers()), differences(state["memory"], what_a_client_remembers())
        now = highest_modseqs()
        assert all(now[box] >= state["modseq"][box] for box in BOXES), (state["modseq"], now)
        assert what_a_client_remembers() == state["memory"], "a second look differs"
    run_server(CULVER, look)


def test_dovecot_takes_back_what_culver_only_read():
    def look():
        assert not differences(state["memory"], what_a_client_remembers()), differences(state["memory"], what_a_client_remembers())
    run_server(DOVECOT, look)


def test_culver_changes_everything_and_dovecot_takes_it_back():
    def change():
        client = login()
        client.select("INBOX")
        client.store("1:3", "+FLAGS", "(\\Draft kw30)")
        client.store("8", "FLAGS", "(\\Seen $NotJunk)")
        client.store("9", "-FLAGS", "(\\Seen)")
        client.copy("1:4", "Sent")
        client.store("4", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.append("INBOX", "(\\Flagged)", '"05-Mar-2024 01:02:03 +0000"', make_message("by culver").encode())
        client.create("New/Box")
        client.subscribe("New/Box")
        client.append("New/Box", None, None, make_message("in a new box").encode())
        client.rename(encoded("A/B/C"), "A/B/D")
        client.rename("A/B/D", encoded("A/B/C"))
        client.logout()
        lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message("delivered by culver"))
        state["memory"] = what_a_client_remembers()
    run_server(CULVER, change)

    def look():
        after = what_a_client_remembers()
        # Dovecot's index is older than Culver's work: keywords past the 26th stand in no file name (docs/maildir.md).
        assert not differences(in_file_names(state["memory"]), in_file_names(after)), differences(state["memory"], after)
        state["memory"] = after
    run_server(DOVECOT, look)


def in_file_names(memory):
    with open(f"{simple.maildir()}/dovecot-keywords") as file:
        lettered = {line.split()[1] for line in file}
    keep = lambda flags: frozenset(f for f in flags if f.startswith("\\") or f in lettered)
    return {box: value if box == "subscribed" else
            (value[0], {uid: (keep(entry[0]), *entry[1:]) for uid, entry in value[1].items()})
            for box, value in memory.items()}


def test_culver_again_and_without_any_index():
    run_server(CULVER, lambda: check_same())
    for directory, _, names in os.walk(simple.maildir()):
        for name in names:
            if name.startswith(("culver.", "dovecot.index")):
                os.unlink(os.path.join(directory, name))
    modseq = {}
    run_server(CULVER, lambda: (check_same(), modseq.update(highest_modseqs())))
    shutil.rmtree("/opt/culver")


def check_same():
    after = what_a_client_remembers()
    assert not differences(in_file_names(state["memory"]), in_file_names(after)), differences(state["memory"], after)


CLEANUP = [lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
