#!/usr/bin/env python3
"""kill -9 of any process at any moment under load: nothing acknowledged is lost, nothing doubled, no UID changed."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, simple
from harness.mail import Connection, lmtp_deliver, make_message
from harness.server import is_alive, wait_for
from harness.simple import PASSWORD, USER

ROUNDS = int(os.environ.get("CULVER_KILL_ROUNDS", "12"))
state = {"delivered": set(), "appended": {}, "flagged": {}, "stop": False, "unsure": set()}
lock = threading.Lock()


def kill_hard(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself since it was looked up


def test_start():
    state["server"] = simple.start()


def deliver(thread):
    number = 0
    while not state["stop"]:
        number += 1
        subject = f"d{thread}x{number}x"
        try:
            reply = lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message(subject))
            if reply and reply[0].startswith("250"):
                with lock:
                    state["delivered"].add(subject)
        except (OSError, AssertionError, IndexError):
            time.sleep(0.02)


def append_and_flag(thread):
    number = 0
    while not state["stop"]:
        try:
            client = Connection(143, timeout=5)
            client.line()
            if " OK " not in client.command(f"a LOGIN {USER} {PASSWORD}")[-1]:
                continue
            client.command("s SELECT INBOX")
            while not state["stop"]:
                number += 1
                subject = f"a{thread}x{number}x"
                message = make_message(subject)
                client.send(f"p APPEND INBOX {{{len(message)}+}}\r\n{message}")
                answer = client.until("p")
                found = re.match(r"p OK \[APPENDUID (\d+) (\d+)\]", answer[-1]) if answer else None
                if not found:
                    break
                uid = int(found.group(2))
                with lock:
                    state["appended"][subject] = (found.group(1), uid)
                answer = client.command(f"f UID STORE {uid} +FLAGS.SILENT (\\Flagged)")
                if answer and answer[-1].startswith("f OK"):
                    with lock:
                        state["flagged"][uid] = subject
        except (OSError, IndexError):
            time.sleep(0.02)


def processes():
    server = state["server"]
    return [pid for name in ("imap", "lmtp", "auth", "imap-login") for pid in server.child_pids(name)]


def test_processes_die_at_random_moments_under_load():
    chance = random.Random(7)
    threads = [threading.Thread(target=target, args=(number,), daemon=True)
               for number, target in enumerate([deliver, deliver, append_and_flag, append_and_flag])]
    for thread in threads:
        thread.start()
    for _ in range(ROUNDS):
        time.sleep(chance.uniform(0.1, 0.6))
        victims = processes()
        if victims:
            kill_hard(chance.choice(victims))
    wait_for(lambda: len(state["delivered"]) > 20 and len(state["appended"]) > 20,
             "deliveries and APPENDs are acknowledged again", 120)
    state["stop"] = True
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()


def everything():
    """UIDVALIDITY, and subject -> [(uid, flags)] of the whole INBOX."""
    def login():
        client = Connection(143)
        client.line()
        return client if " OK " in client.command(f"a LOGIN {USER} {PASSWORD}")[-1] else None
    client = wait_for(login, "a login after the kills", 120)
    answer = client.command("s SELECT INBOX")
    validity = next(re.search(r"UIDVALIDITY (\d+)", line).group(1) for line in answer if "UIDVALIDITY" in line)
    found = {}
    client.send("f UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    uid = flags = None
    for line in client.until("f"):
        start = re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)", line)
        if start:
            uid, flags = int(start.group(1)), start.group(2)
        if line.startswith("Subject: "):
            found.setdefault(line[9:], []).append((uid, flags))
    client.send("z LOGOUT")
    client.close()
    return validity, found


def test_nothing_acknowledged_is_lost_or_doubled_and_no_uid_changed():
    validity, found = everything()
    lost = [subject for subject in state["delivered"] if subject not in found]
    assert not lost, f"{len(lost)} of {len(state['delivered'])} acknowledged deliveries are lost: {lost[:5]}"
    lost = [subject for subject in state["appended"] if subject not in found]
    assert not lost, f"{len(lost)} of {len(state['appended'])} acknowledged APPENDs are lost: {lost[:5]}"
    doubled = [subject for subject, entries in found.items() if len(entries) > 1]
    assert not doubled, f"doubled: {doubled[:5]}"
    for subject, (told_validity, uid) in state["appended"].items():
        assert told_validity == validity, f"UIDVALIDITY was {told_validity}, is {validity}"
        assert found[subject][0][0] == uid, f"{subject} had UID {uid}, has {found[subject][0][0]}"
    unflagged = [uid for uid, subject in state["flagged"].items() if "\\Flagged" not in found[subject][0][1]]
    assert not unflagged, f"{len(unflagged)} of {len(state['flagged'])} acknowledged flags are lost: {unflagged[:5]}"
    state["before"] = validity, found


def session(port):
    client = Connection(port, tls=port == 993, timeout=60)
    client.line()
    answer = client.command(f"a LOGIN {USER} {PASSWORD}")
    return client if answer and " OK " in answer[-1] else None


def listed():
    out = subprocess.run(["doveadm", "who", "-1"], capture_output=True, text=True).stdout
    return len([line for line in out.splitlines() if line.startswith(USER)])


def dispatcher():
    for pid in state["server"].child_pids("imap"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"--worker" not in file.read() and is_alive(pid):
                    return pid
        except OSError:
            pass
    return None


def kill_dispatcher():
    """Ends it and waits for another one."""
    victim = wait_for(dispatcher, "a dispatcher", 60)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: dispatcher() not in (None, victim), "another dispatcher", 60)


def test_sessions_of_a_dispatcher_that_died_are_known_to_the_next():
    state["server"].restart()  # with so many deaths the pauses between starts have grown long
    clients = [wait_for(lambda: session(port), "a login", 60) for port in (143, 993)]
    for _ in range(2):
        kill_dispatcher()
        wait_for(lambda: listed() == 2, f"both sessions are listed again, not {listed()}", 60)
        for client in clients:
            assert client.command("n NOOP")[-1].startswith("n OK")
    client = wait_for(lambda: session(143), "a login by the new dispatcher", 60)
    wait_for(lambda: listed() == 3, "the new session is listed", 60)
    client.command("z LOGOUT")
    wait_for(lambda: listed() == 2, "the session that ended is not listed", 60)
    kicked = subprocess.run(["doveadm", "kick", USER], capture_output=True, text=True)
    assert kicked.returncode == 0 and USER in kicked.stdout, kicked
    for client in clients:
        assert (client.line() or "").startswith("* BYE"), "a kicked session ends"
        client.close()
    wait_for(lambda: listed() == 0, "no session is listed", 60)
    kicked = subprocess.run(["doveadm", "kick", USER], capture_output=True, text=True)
    assert kicked.returncode == 68 and kicked.stdout == "no users kicked\n", kicked


def test_a_stop_ends_the_sessions_of_a_dispatcher_that_died():
    client = wait_for(lambda: session(143), "a login", 60)
    kill_dispatcher()
    wait_for(lambda: listed() == 1, "the session is listed again", 60)
    state["server"].stop()
    assert (client.line() or "").startswith("* BYE")
    state["server"].start()


def test_the_whole_server_dies_and_starts_again_without_a_hand():
    server = state["server"]
    victims = [server.pid(), *processes()]
    for pid in victims:
        kill_hard(pid)
    wait_for(lambda: not any(map(is_alive, victims)), "all of them are dead")
    server.start()
    wait_for(lambda: os.path.exists(simple.LMTP_SOCKET), "the sockets are there")
    (validity, found), (validity_before, before) = everything(), state["before"]
    assert validity == validity_before
    changed = {subject: (before.get(subject), found.get(subject)) for subject in before.keys() | found.keys()
               if without_recent(before.get(subject)) != without_recent(found.get(subject))}
    assert not changed, f"{len(changed)} messages changed: {dict(list(changed.items())[:5])}"


def without_recent(entries):
    """\\Recent belongs to the session, not to the message."""
    return [(uid, set(flags.split()) - {"\\Recent"}) for uid, flags in entries or []]


CLEANUP = [lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
