#!/usr/bin/env python3
"""What is broken on the disk or sent by a stranger: a clear answer, one log line, nothing lost, nobody else disturbed."""

import os
import random
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, simple
from harness.mail import Connection, lmtp_deliver, make_message
from harness.server import IS_CULVER, is_alive, wait_for
from harness.simple import PASSWORD, USER

OTHER = "other@example.test"
state = {}


def test_start():
    state["server"] = simple.start(users=(USER, OTHER, "full@example.test"))
    state["witness"] = login(OTHER)
    state["witness"].command("s SELECT INBOX")


def login(user=USER):
    client = Connection(143)
    client.line()
    answer = client.command(f"a LOGIN {user} {PASSWORD}")
    assert answer and " OK " in answer[-1], answer
    return client


def others_are_undisturbed():
    """The session opened at the start still answers, and the server's processes are the same."""
    assert state["witness"].command("w NOOP")[-1].startswith("w OK")
    assert "Panic" not in state["server"].log() and "killed with signal" not in state["server"].log()


def uids(client):
    client.command("s SELECT INBOX")
    answer = client.command("u UID SEARCH ALL")
    return next(line for line in answer if line.startswith("* SEARCH"))[8:].split()


def test_a_client_that_vanishes_in_the_middle_of_a_literal_leaves_nothing():
    before = uids(login())
    client = login()
    client.send(b"p APPEND INBOX {100000+}\r\nSubject: half\r\n\r\nonly this")
    client.close()
    wait_for(lambda: not os.listdir(f"{simple.maildir()}/tmp"), "the half message is gone from tmp")
    assert uids(login()) == before
    others_are_undisturbed()


def test_lines_literals_and_bytes_that_cannot_be():
    for junk in (b"a SELECT " + b"x" * 70000, b"a LOGIN {99999999999999999999}", b"\x00\xff\xfe a b c", b"a SEARCH "
                 + b"(" * 5000,
                 b"a FETCH 1 (" + b"BODY[1." * 2000, b"a LIST \"\" \"" + b"*%" * 300 + b"\"",
                 b"a STORE 1 FLAGS (" + b"k " * 20000,
                 b"a SELECT {70000}", b"a NOOP\x00NOOP", b'a SELECT "\xff\xfe"', b"a CREATE \"x\x01y\"",
                 b"a UID FETCH 1:* (FLAGS",
                 b"a SEARCH " + b"NOT " * 4000 + b"ALL", b"a SEARCH CHARSET UTF-8 TEXT \xc3\x28"):
        client = login()
        client.send(junk + b"\r\n")
        line = client.line()
        assert line is None or re.match(r"(\*|a\S*) ", line) or line == "+ OK", (junk[:40], line)
        client.close()
    others_are_undisturbed()


def test_strangers_send_rubbish_before_login():
    chance = random.Random(3)
    for _ in range(60):
        probe = socket.create_connection(("127.0.0.1", 143), 60, (f"127.0.0.{chance.randint(100, 120)}", 0))
        try:
            probe.sendall(bytes(chance.randrange(256) for _ in range(chance.randint(1, 3000))) + b"\r\n")
        except OSError:
            pass
        probe.close()
    for payload in (b"a AUTHENTICATE PLAIN\r\n" + b"A" * 20000 + b"\r\n", b"a LOGIN {5000}\r\n", b"a NOOP "
                    + b"(" * 4000,
                    b"a ID (" + b'"k" "v" ' * 1000 + b")\r\n", b"a LOGIN \"" + b"x" * 9000):
        probe = socket.create_connection(("127.0.0.1", 143), 60, ("127.0.0.99", 0))
        probe.sendall(payload)
        probe.settimeout(2)
        try:
            while probe.recv(65536):
                pass
        except OSError:
            pass
        probe.close()
    others_are_undisturbed()


def test_a_folder_of_odd_files_hangs_nobody():
    lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message("before the odd files"))
    directory = simple.maildir()
    os.mkfifo(f"{directory}/cur/1700000000.fifo.host:2,")
    os.mkfifo(f"{directory}/new/1700000001.fifo.host")
    os.symlink("/etc/shadow", f"{directory}/cur/1700000002.link.host:2,S")
    os.makedirs(f"{directory}/cur/1700000003.dir.host:2,")
    os.makedirs(f"{directory}/.odd\x01name/cur", exist_ok=True)
    os.mkfifo(f"{directory}/.Fifo")
    client = login()
    assert uids(client)
    for line in client.command("f UID FETCH 1:* (RFC822.SIZE BODY.PEEK[]<0.100>)"):
        assert "root:" not in line, "a symbolic link leads out of the mailbox"
    assert client.command('l LIST "" *')[-1].startswith("l OK")
    assert lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message("after the odd files"))[0].startswith("250")
    others_are_undisturbed()
    for name in ("cur/1700000000.fifo.host:2,", "new/1700000001.fifo.host", "cur/1700000001.fifo.host:2,",
                 "cur/1700000002.link.host:2,S", ".Fifo"):
        if os.path.lexists(f"{directory}/{name}"):
            os.unlink(f"{directory}/{name}")
    for name in os.listdir(f"{directory}/cur"):
        if "dir.host" in name:
            os.rmdir(f"{directory}/cur/{name}")


def subjects():
    client = login()
    client.command("s SELECT INBOX")
    client.send("f UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    found, uid = {}, None
    for line in client.until("f"):
        match = re.match(r"\* \d+ FETCH \(UID (\d+)", line)
        uid = match.group(1) if match else uid
        if line.startswith("Subject: "):
            found[line[9:]] = uid
    client.close()
    return found


def restart_with(break_it):
    server = state["server"]
    state["witness"].close()
    server.stop()
    break_it()
    server.start()
    wait_for(lambda: os.path.exists(simple.LMTP_SOCKET), "the server is up")
    state["witness"] = login(OTHER)


def test_index_files_of_rubbish_are_rebuilt_without_losing_a_uid():
    before = subjects()
    directory = simple.maildir()
    chance = random.Random(5)
    ours = [name for name in os.listdir(directory) if name.startswith("culver.")]
    assert ours or not IS_CULVER, os.listdir(directory)

    def truncate(path, data):
        os.truncate(path, len(data) // 2)

    def flip(path, data):
        data = bytearray(data)
        for _ in range(20):
            if data:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        with open(path, "wb") as file:
            file.write(data)

    def rubbish(path, data):
        with open(path, "wb") as file:
            file.write(bytes(chance.randrange(256) for _ in range(max(4096, len(data)))))

    def empty(path, data):
        os.truncate(path, 0)
    for damage in (truncate, flip, rubbish, empty):
        for name in ours:
            def break_it(path=f"{directory}/{name}", damage=damage):
                with open(path, "rb") as file:
                    data = file.read()
                damage(path, data)
            restart_with(break_it)
            assert subjects() == before, (damage.__name__, name)
    others_are_undisturbed()


def test_a_torn_uidlist_keeps_what_can_be_read():
    before = subjects()
    path = f"{simple.maildir()}/dovecot-uidlist"

    def tear():
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(data[:-7])
    restart_with(tear)
    after = subjects()
    assert set(after) == set(before)
    assert sum(after[s] == before[s] for s in before) >= len(before) - 1, (before, after)


def test_an_empty_lock_file_of_a_power_cut_is_not_waited_for():
    path = f"{simple.maildir()}/dovecot-uidlist.lock"
    restart_with(lambda: open(path, "w").close())
    os.utime(path, (time.time() - 3600,) * 2)
    start = time.monotonic()
    assert lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message("behind the lock"))[0].startswith("250")
    assert "behind the lock" in subjects()
    assert time.monotonic() - start < 90, "the reference waits for two minutes"


def test_a_full_disk_is_a_temporary_failure_and_loses_nothing():
    home = "/var/vmail/example.test/full"
    os.makedirs(home, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k,mode=700,uid=5000,gid=5000", "tmpfs", home], check=True)
    message = make_message("fits", body="x" * 70 + "\r\n" * 10)
    assert lmtp_deliver(simple.LMTP_SOCKET, ["full@example.test"], message)[0].startswith("250")
    big = make_message("too big", body=("y" * 70 + "\r\n") * 9000)
    reply = lmtp_deliver(simple.LMTP_SOCKET, ["full@example.test"], big)[0]
    assert re.match(r"45[12] 4\.", reply), reply
    client = login("full@example.test")
    client.command("s SELECT INBOX")
    client.send(f"p APPEND INBOX {{{len(big)}+}}\r\n{big}")
    answer = client.until("p")
    assert answer and re.match(r"p NO ", answer[-1]), answer
    assert client.command("n NOOP")[-1].startswith("n OK")
    assert any(line.startswith("* SEARCH 1") for line in client.command("u SEARCH SUBJECT fits"))
    assert lmtp_deliver(simple.LMTP_SOCKET, ["full@example.test"], message)[0].startswith("250")
    assert not os.listdir(f"{home}/Maildir/tmp")
    client.close()
    others_are_undisturbed()


def test_a_read_only_disk_can_still_be_read():
    home = "/var/vmail/example.test/full"
    remount = ["mount", "-o", "remount,ro", home]
    restart_with(lambda: wait_for(lambda: subprocess.run(remount, capture_output=True).returncode == 0,
                                  "nobody holds a file open for writing after the stop"))
    if not IS_CULVER:
        return  # Dovecot 2.3 cannot open INBOX there
    reply = lmtp_deliver(simple.LMTP_SOCKET, ["full@example.test"], make_message("cannot be"))[0]
    assert reply.startswith("45"), reply
    client = login("full@example.test")
    answer = client.command("s SELECT INBOX")
    assert answer[-1].startswith("s OK [READ-ONLY]"), answer
    assert client.command("f FETCH 1 BODY.PEEK[]")[-1].startswith("f OK")
    others_are_undisturbed()


def test_a_broken_line_of_the_password_file_stops_only_its_own_user():
    with open("/etc/dovecot/users") as file:
        users = file.read()
    private.install_file("/etc/dovecot/users", users + "no colon here\n:nobody\nbroken@example.test:{NOSUCH}x\n"
                         "last@example.test:{PLAIN}secret\n")
    test = ["doveadm", "auth", "test", "last@example.test", PASSWORD]
    wait_for(lambda: subprocess.run(test, capture_output=True).returncode == 0, "the new file is in use")
    client = login("last@example.test")
    assert client.command("n NOOP")[-1].startswith("n OK")
    probe = Connection(143, source="127.0.0.88")
    probe.line()
    assert probe.command("a LOGIN broken@example.test x")[-1].startswith("a NO ")
    state["server"].wait_log(r"NOSUCH")
    others_are_undisturbed()


CLEANUP = [lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
