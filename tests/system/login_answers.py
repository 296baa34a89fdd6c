#!/usr/bin/env python3
"""What imap-login makes of each answer of authd: the NO that the client reads, and the line in the log.

A made-up authd sits at login/login and answers each user name with one line. The table holds for Debian's Dovecot too
(CULVER_SERVER=dovecot), but for the log, and for `proxy`, on which its login process dies without a password.
"""

import base64
import os
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, simple
from harness.mail import Connection
from harness.server import IS_CULVER, wait_for

SOCKET = "/run/dovecot/login/login"
TEMPORARY = r"NO \[UNAVAILABLE\] Temporary authentication failure\. \[mailhost\.maildomain\.test:[0-9 :-]+\]"
# fields of the answer, what the client reads, what the log says
ANSWERS = [
    ("FAIL", "NO [AUTHENTICATIONFAILED] Authentication failed.", "auth failed, 1 attempts"),
    ("FAIL reason=Because we say so.", "NO [ALERT] Because we say so.", "auth failed, 1 attempts"),
    ("FAIL code=temp_fail", re.compile(TEMPORARY), "temporar"),
    ("FAIL code=temp_fail reason=A disk fell.", re.compile(TEMPORARY), "temporar"),
    ("FAIL code=authz_fail", "NO [AUTHORIZATIONFAILED] Authorization failed", "authorization failed, 1 attempts"),
    ("FAIL code=authz_fail reason=Why.", "NO [AUTHORIZATIONFAILED] Why.", "authorization failed"),
    ("FAIL code=user_disabled", "NO [AUTHENTICATIONFAILED] Authentication failed.", "user disabled"),
    ("FAIL code=user_disabled reason=Gone.", "NO [ALERT] Gone.", "user disabled"),
    ("FAIL code=pass_expired", "NO [EXPIRED] Authentication failed.", "password expired"),
    ("FAIL code=pass_expired reason=Old.", "NO [EXPIRED] Old.", "password expired"),
    ("FAIL code=invalid_base64 reason=Bad base.", "BAD Bad base.", "sent invalid base64"),
    ("FAIL code=auth_mech_invalid", "NO [ALERT] Authentication failed.", "tried to use unsupported auth mechanism"),
    ("FAIL code=auth_mech_ssl_required", "NO [PRIVACYREQUIRED] Authentication failed.", ""),
    ("FAIL code=anonymous_denied", "NO [CONTACTADMIN] Authentication failed.", "auth failed"),
    ("FAIL code=never-heard-of", "NO [AUTHENTICATIONFAILED] Authentication failed.", "auth failed"),
    ("FAIL nologin", "NO [CONTACTADMIN] Login disabled for this user", ""),
    ("FAIL nologin reason=No login.", "NO [CONTACTADMIN] No login.", ""),
    ("FAIL nologin host=imap.other.test", "NO [REFERRAL imap://u;AUTH=PLAIN@imap.other.test/] Try this server instead.", ""),
    ("OK nologin", "NO [CONTACTADMIN] Login disabled for this user", ""),
    ("OK nologin reason=Moved.", "NO [CONTACTADMIN] Moved.", ""),
    ("OK nologin host=imap.other.test", "NO [REFERRAL imap://u;AUTH=PLAIN@imap.other.test/] Try this server instead.", ""),
    ("OK nologin host=imap.other.test port=1143 destuser=x reason=Go there.",
     "NO [REFERRAL imap://x;AUTH=PLAIN@imap.other.test:1143/] Go there.", ""),
    ("OK", "NO [UNAVAILABLE] Internal error occurred. Refer to server log for more information.", ""),
]
# Of Culver alone.
OWN = [
    ("OK proxy", "NO [UNAVAILABLE] Account is temporarily unavailable.", "proxy(u): host not given"),
    ("OK proxy nologin host=127.0.0.9", "NO [UNAVAILABLE] Account is temporarily unavailable.", "proxy(u): password not given"),
    ("OK proxy host=127.0.0.9 port=0 pass=x", "NO [UNAVAILABLE] Account is temporarily unavailable.",
     "proxy(u): invalid port number: 0"),
    ("OK proxy host=a.test pass=x", "NO [UNAVAILABLE] Account is temporarily unavailable.",
     "proxy(u): host is no IP address"),
    ("FAIL reason=one\1rtwo\1n* BYE three", "NO [ALERT] one two * BYE three", "auth failed"),
    ("OK nologin host=a]b", "NO [CONTACTADMIN] Try this server instead.", ""),
    ("OK nologin host=h destuser=a b@c", "NO [REFERRAL imap://a%20b%40c;AUTH=PLAIN@h/] Try this server instead.", ""),
]
answers, state = {}, {"asked": 0}


def fields_of(text):
    """`FAIL code=x reason=two words`: a reason and a destuser take the rest of their words."""
    words = []
    for word in text.split(" "):
        if words and "=" in words[-1] and "=" not in word and words[-1].split("=")[0] in ("reason", "destuser"):
            words[-1] += " " + word
        else:
            words.append(word)
    return words[0], words[1:]


def serve_client(connection):
    with connection, connection.makefile("rwb") as stream:
        try:
            stream.write(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t" + b"a" * 32 + b"\nDONE\n")
            stream.flush()
            for line in stream:
                words = line.decode().rstrip("\n").split("\t")
                if words[0] != "AUTH":
                    continue
                state["asked"] += 1
                user = base64.b64decode(words[-1].removeprefix("resp=")).split(b"\0")[1].decode()
                kind, fields = fields_of(answers[user])
                stream.write("\t".join([kind, words[1], "user=u", *fields]).encode() + b"\n")
                stream.flush()
        except OSError:
            pass


def replace_authd():
    os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    os.chmod(SOCKET, 0o666)
    listener.listen(50)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_client, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    for pid in state["server"].child_pids("imap-login"):  # it keeps its connection to the real one
        os.kill(pid, 9)


def login(user):
    client = Connection(143)
    try:
        client.line()
        lines = client.command(f"a LOGIN {user} x")
    finally:
        client.close()
    return lines[-1].removeprefix("a ") if lines else "closed"


def test_start():
    state["server"] = simple.start("auth_verbose = yes\n")
    replace_authd()
    answers["probe"] = "FAIL"

    def answered():
        try:
            return login("probe").startswith("NO") and state["asked"]
        except OSError:
            return False
    wait_for(answered, "imap-login asks the made-up authd")


def check(rows, prefix):
    for number, (answer, expected, logged) in enumerate(rows):
        answers[f"{prefix}{number}"] = answer
        mark = len(state["server"].log())
        got = login(f"{prefix}{number}")
        assert expected.fullmatch(got) if isinstance(expected, re.Pattern) else got == expected, (answer, got, expected)
        wait_for(lambda: logged in state["server"].log()[mark:], f"{answer}: {logged!r} in the log: "
                 + state["server"].log()[mark:])


def test_each_answer_in_dovecots_words():
    check(ANSWERS, "u")


def test_what_is_not_served_and_what_must_not_break_a_line():
    if IS_CULVER:
        check(OWN, "own")


CLEANUP = [lambda: state["server"].stop()]
if __name__ == "__main__":
    case.main(globals())
