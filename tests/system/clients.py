#!/usr/bin/env python3
"""Programs nobody here wrote read and write mail: mbsync, fetchmail, curl, Python's imaplib, swaks over LMTP."""

import imaplib
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, simple
from harness.mail import lmtp_deliver, make_message, swaks
from harness.server import wait_for
from harness.simple import PASSWORD, USER

COUNT = 1000
state = {}
MBSYNC = f"""
IMAPAccount server
Host 127.0.0.1
Port 143
User {USER}
Pass {PASSWORD}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account server

MaildirStore near
Path /home/near/
Inbox /home/near/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
CopyArrivalDate yes
"""


def test_start():
    state["server"] = simple.start()


def login():
    client = imaplib.IMAP4("127.0.0.1", 143)
    client.login(USER, PASSWORD)
    return client


def test_swaks_delivers_over_lmtp():
    code, text = swaks("--socket", simple.LMTP_SOCKET, "--protocol", "LMTP", "--from", "a@example.org", "--to", USER,
                       "--header", "Subject: over lmtp")
    assert code == 0 and " Saved" in text, text


def mbsync():
    result = subprocess.run(["mbsync", "-c", "/home/mbsyncrc", "-V", "all"], capture_output=True, text=True,
                            timeout=600)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout + result.stderr


def test_mbsync_copies_1000_messages_out_with_their_flags():
    os.makedirs("/home/near")
    private.install_file("/home/mbsyncrc", MBSYNC, 0o600)
    client = login()
    client.create("Archive")
    chance = random.Random(1)
    flag_sets = ["", "\\Seen", "\\Seen \\Answered", "\\Flagged", "\\Draft"]
    for number in range(COUNT - 1):
        box = "Archive" if number % 3 == 0 else "INBOX"
        message = make_message(f"m {number}", body=f"line {number}\r\n" * chance.randint(1, 60)).encode()
        assert client.append(box, f"({chance.choice(flag_sets)})", None, message)[0] == "OK"
    client.logout()
    mbsync()
    assert sum(len(os.listdir(f"/home/near/{box}/{sub}")) for box in ("INBOX", "Archive")
               for sub in ("new", "cur")) == COUNT


def test_mbsync_a_second_run_transfers_nothing():
    before = snapshot(), far_side()
    mbsync()
    assert (snapshot(), far_side()) == before


def far_side():
    client = login()
    states = [client.status(box, "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)")[1]
              for box in ("INBOX", "Archive")]
    client.logout()
    return states


def snapshot():
    return sorted(name for box in ("INBOX", "Archive") for sub in ("new", "cur")
                  for name in os.listdir(f"/home/near/{box}/{sub}"))


def test_mbsync_changes_on_both_sides_meet():
    client = login()
    client.select("INBOX")
    assert client.store("1:10", "+FLAGS", "(\\Flagged)")[0] == "OK"
    assert client.store("11:15", "+FLAGS", "(\\Deleted)")[0] == "OK"
    assert client.expunge()[0] == "OK"
    total = int(client.select("INBOX")[1][0])
    client.logout()
    near = "/home/near/Archive/cur"
    names = sorted(os.listdir(near))[:7]
    for name in names:
        base, flags = name.split(":2,")
        os.rename(f"{near}/{name}", f"{near}/{base}:2,{''.join(sorted(set(flags + 'RS')))}")
    private.install_file("/home/near/INBOX/new/1.local", make_message("made locally").replace("\r\n", "\n"))
    mbsync()
    client = login()
    assert int(client.select("INBOX")[1][0]) == total + 1
    assert len(client.search(None, "SUBJECT", '"made locally"')[1][0].split()) == 1
    client.select("Archive")
    assert len(client.search(None, "ANSWERED", "SEEN")[1][0].split()) >= 7
    client.logout()
    before = snapshot()
    mbsync()
    assert snapshot() == before


def test_curl_lists_fetches_and_appends():
    def curl(url, *more):
        return subprocess.run(["curl", "-sS", "-k", "--user", f"{USER}:{PASSWORD}", url, *more], capture_output=True,
                              text=True, timeout=300)
    assert '* LIST (\\HasNoChildren) "/" Archive' in curl("imaps://127.0.0.1/").stdout
    with open("/home/up.eml", "w") as file:
        file.write(make_message("from curl"))
    result = curl("imap://127.0.0.1/Archive", "--ssl-reqd", "-T", "/home/up.eml")
    assert result.returncode == 0, result.stderr
    found = curl("imaps://127.0.0.1/Archive?SUBJECT%20%22from%20curl%22").stdout.split()
    assert len(found) == 3, found
    assert "Subject: from curl" in curl(f"imaps://127.0.0.1/Archive;MAILINDEX={found[-1]}").stdout


def test_fetchmail_takes_the_mail_away():
    client = login()
    client.create("Collect")
    for number in range(5):
        client.append("Collect", None, None, make_message(f"collect {number}").encode())
    client.logout()
    private.install_file("/home/fetchmailrc",
                         f"poll 127.0.0.1 protocol IMAP port 143 user \"{USER}\" password \"{PASSWORD}\""
                                              " folder Collect sslproto '' fetchall no rewrite mda \"cat >> "
                                              "/home/got\"\n", 0o600)
    result = subprocess.run(["fetchmail", "-f", "/home/fetchmailrc", "--pidfile", "/run/fm.pid"], capture_output=True,
                            text=True,
                            timeout=300, env={**os.environ, "HOME": "/home", "FETCHMAILHOME": "/home"})
    assert result.returncode == 0, result.stdout + result.stderr
    with open("/home/got") as file:
        assert file.read().count("Subject: collect") == 5
    client = login()
    assert client.select("Collect")[1] == [b"0"]
    client.logout()


def test_idle_hears_of_a_delivery_and_of_a_file_dropped_into_new():
    from harness.mail import Connection
    idle = Connection(143)
    idle.line()
    idle.command(f"a LOGIN {USER} {PASSWORD}")
    total = next(int(line.split()[1]) for line in idle.command("b SELECT INBOX") if line.endswith(" EXISTS"))
    idle.send("c IDLE")
    assert idle.line() == "+ idling"
    lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message("to the idle client"))
    assert idle.line() == f"* {total + 1} EXISTS"
    idle.line()
    private.install_file(f"{simple.maildir()}/new/1795000000.foreign.host", "Subject: dropped\n\nx\n", 0o600,
                         "vmail:vmail")
    wait_for(lambda: idle.line() == f"* {total + 2} EXISTS", "the dropped file is announced")
    idle.send("DONE")
    idle.until("c")
    idle.close()


CLEANUP = [lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
