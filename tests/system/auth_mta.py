#!/usr/bin/env python3
"""What the auth clients of MTAs send, byte for byte as recorded from the programs, replayed to Debian's Dovecot and
Culver.

Each dialogue says what the client sends in one write, and what it waits for before the next. The programs themselves:
auth_exim.py, auth_chasquid.py, the tutorials for Postfix.
"""

import base64
import hmac
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private
from harness.authclient import LineSocket
from harness.authpair import Pair

USERS = "bob@example.test:{PLAIN}secret:5000:5000::/home/bob::\nuser@localhost:{PLAIN}password:5000:5000::/home/u::\n"
CONFIG = """auth_mechanisms = plain login cram-md5
passdb {
  driver = passwd-file
  args = /etc/pair/users
}
"""
RIGHT, WRONG = b"AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0", b"AGJvYkBleGFtcGxlLnRlc3QAd3Jvbmc="
# Exim 4.96: minor version 0, everything in one write once the whole greeting is there, `resp=` when there is none, one
# connection for each AUTH. {n}: an address of its own for each dialogue, so that penalties do not hold it.
EXIM = b"VERSION\t1\t0\nCPID\t%d\nAUTH\t1\t%s\tservice=smtp\tsecured\trip=127.8.0.%d\tlip=127.0.0.1\tnologin\tresp=%s\n"
# chasquid 1.11: minor version 1, one connection for each AUTH, no addresses and therefore no-penalty.
CHASQUID = b"VERSION\t1\t1\nCPID\t49\nAUTH\t1\tPLAIN\tservice=smtp\tsecured\tno-penalty\tnologin\tresp=%s\n"
CHASQUID_USER = b"VERSION\t1\t1\nUSER\t1\t%s\tservice=smtp\n"
# Postfix 3.7: handshake first, ids that grow, several AUTH on one connection.
state = {"number": 1}


def test_start():
    private.install_file("/etc/pair/users", USERS)
    state["pair"] = Pair(CONFIG)


class Stream(LineSocket):
    def __init__(self, peer, name="auth-client"):
        super().__init__(peer.path(name))

    def line(self):
        line = super().line()
        return b"(closed)" if line is None else line.encode()

    def greeting(self):
        """All of it before a byte is sent: that is how Exim and chasquid begin."""
        lines = []
        while not lines or lines[-1] not in (b"DONE", b"(closed)"):
            lines.append(self.line())
        return [re.sub(rb"^(SPID|CUID|COOKIE)\t.*", rb"\1", line) for line in lines]


def fields(line):
    """A reply without empty fields and random challenges."""
    words = [word for word in line.split(b"\t") if word]
    if words[0] == b"CONT" and len(words) > 2 and base64.b64decode(words[2]).startswith(b"<"):
        words[2] = b"CRAM"
    return words


def dialogue(peer, first, *answers):
    """Greeting, the first write, then an answer to each line. Gives all that the server said."""
    stream = Stream(peer)
    heard = [stream.greeting()]
    stream.socket.sendall(first)
    for answer in answers:
        line = stream.line()
        heard.append(fields(line))
        if callable(answer):
            answer = answer(base64.b64decode(line.split(b"\t")[2]))
        stream.socket.sendall(answer)
    heard.append(fields(stream.line()))
    stream.socket.close()
    return heard


def exim(mechanism, response=b""):
    state["number"] += 1
    return EXIM % (59 + state["number"], mechanism, state["number"], response)


def cram(user, password):
    def answer(challenge):
        digest = hmac.new(password, challenge, "md5").hexdigest().encode()
        return b"CONT\t1\t" + base64.b64encode(user + b" " + digest) + b"\n"
    return answer


def test_exim():
    pair = state["pair"]
    dialogues = {
        "PLAIN": (b"PLAIN", RIGHT, ()), "PLAIN wrong": (b"PLAIN", WRONG, ()),
        "PLAIN unknown user": (b"PLAIN", b"AG5vYm9keUBleGFtcGxlLnRlc3QAc2VjcmV0", ()),
        "PLAIN without a response": (b"PLAIN", b"", (b"CONT\t1\t" + RIGHT + b"\n",)),
        "PLAIN aborted": (b"PLAIN", b"", (b"CONT\t1\t\n",)),
        "LOGIN": (b"LOGIN", b"", (b"CONT\t1\tYm9iQGV4YW1wbGUudGVzdA==\n", b"CONT\t1\tc2VjcmV0\n")),
        "LOGIN wrong": (b"LOGIN", b"", (b"CONT\t1\tYm9iQGV4YW1wbGUudGVzdA==\n", b"CONT\t1\td3Jvbmc=\n")),
        "LOGIN with the name": (b"LOGIN", b"Ym9iQGV4YW1wbGUudGVzdA==", (b"CONT\t1\tc2VjcmV0\n",)),
        "CRAM-MD5": (b"CRAM-MD5", b"", (cram(b"bob@example.test", b"secret"),)),
        "CRAM-MD5 wrong": (b"CRAM-MD5", b"", (cram(b"bob@example.test", b"wrong"),)),
    }
    with pair.together():
        for name, (mechanism, response, answers) in dialogues.items():
            first = exim(mechanism, response)
            heard = pair.compare(f"Exim: {name}", lambda peer: dialogue(peer, first, *answers))
            wanted = b"FAIL" if any(word in name for word in ("wrong", "unknown", "aborted")) else b"OK"
            assert heard[-1][0] == wanted, (name, heard)
        first = exim(b"PLAIN", RIGHT)
        for _ in range(20):  # one connection after the other
            assert pair.compare("Exim again", lambda peer: dialogue(peer, first))[-1][0] == b"OK"


def test_chasquid():
    """Greeting, one write, end. Recipients are asked for on auth-userdb."""
    pair = state["pair"]
    def ask(user, password):
        response = base64.b64encode(user + b"\0" + user + b"\0" + password)
        return lambda peer: dialogue(peer, CHASQUID % response)
    def exists(user):
        def run(peer):
            stream = Stream(peer, "auth-userdb")
            stream.socket.sendall(CHASQUID_USER % user)
            return [stream.line(), stream.line()[:5], fields(stream.line())]
        return run
    with pair.together():
        for user, password in ((b"user@localhost", b"password"), (b"user@localhost", b"wrong"),
                               (b"nobody@localhost", b"x")):
            pair.compare(f"chasquid: {user} {password}", ask(user, password))
            pair.compare(f"chasquid: {user}?", exists(user))
    assert ask(b"user@localhost", b"password")(pair.culver)[-1][0] == b"OK"
    assert exists(b"user@localhost")(pair.culver)[-1][0] == b"USER"
    assert exists(b"nobody@localhost")(pair.culver)[-1][0] == b"NOTFOUND"


def test_postfix():
    """Version and CPID before the greeting is read; many requests on one connection; an abandoned one in between."""
    pair = state["pair"]
    def run(peer):
        stream = Stream(peer)
        stream.socket.sendall(b"VERSION\t1\t0\nCPID\t32294\n")
        heard = [stream.greeting()]
        state["number"] += 1
        address = b"rip=127.9.%d.1" % state["number"]
        for number, (more, answers) in enumerate((
                (b"\tresp=" + RIGHT, ()), (b"", (RIGHT,)), (b"", None), (b"\tsecured\tresp=" + RIGHT, ()),
                (b"\tresp=" + WRONG, ())), 1):
            stream.socket.sendall(b"AUTH\t%d\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\t%s%s\n" % (number, address,
                                                                                                      more))
            heard.append(fields(stream.line()))
            for answer in answers or ():
                stream.socket.sendall(b"CONT\t%d\t%s\n" % (number, answer))
                heard.append(fields(stream.line()))
        stream.socket.close()
        return heard
    heard = pair.compare("Postfix", run)
    assert [line[0] for line in heard[1:]] == [b"OK", b"CONT", b"OK", b"CONT", b"OK", b"FAIL"], heard


CLEANUP = [lambda: state["pair"].stop()]

if __name__ == "__main__":
    case.main(globals())
