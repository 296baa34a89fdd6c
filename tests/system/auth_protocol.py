#!/usr/bin/env python3
"""The auth sockets themselves, line by line: the same bytes go to Debian's Dovecot and to Culver, and both must answer
the same lines and close the same connections. What is said is in docs/auth-protocol.md."""

import base64
import concurrent.futures
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authclient import AuthClient, LineSocket
from harness.authpair import Accepted, Pair
from harness.server import wait_for

CONFIG = """
auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 anonymous external
auth_ssl_username_from_cert = yes
passdb {
  driver = passwd-file
  args = /etc/pair/users
}
userdb {
  driver = passwd-file
  args = /etc/pair/users
}
service auth {
  client_limit = 3000
}
"""
USERS = "bob:{PLAIN}secret:5000:5000::/home/bob::userdb_quota_rule=*:storage=2k\nann:{PLAIN}x:5000:5000::/home/ann::\n" \
        "gone:{PLAIN}secret:5000:5000::/home/gone::nologin\n"
ACCEPTED = {
    "blank-in-base64": Accepted("Dovecot skips blanks inside base64; RFC 4648 §3.3 wants such data refused, and no "
                                "client sends it"),
    "empty-service": Accepted("`service=` without a name is no service; every client names one"),
    "certificate-name": Accepted("a name of a certificate counts only beside valid-client-cert, and is the name that "
                                 "the "
                                 "client gave: no original_user"),
    "session-pid": Accepted("a session_pid that is no number is refused, not ignored: it says which process may have "
                            "the login"),
    "auth-token": Accepted("auth_token= serves Dovecot's token-login socket (IMAP URLAUTH), which Culver does not "
                           "have"),
    "no-login-follows": Accepted("a login with `nologin` is not kept for a mail process: its client has said that "
                                 "none follows"),
}
HELLO = "VERSION\t1\t2\nCPID\t{pid}\n"
state = {}
_pids = iter(range(500000, 900000))


def resp(user="bob", password="secret"):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def auth(id=1, more="", mechanism="PLAIN", service="service=imap", response=None):
    fields = [f"AUTH\t{id}\t{mechanism}", service, "secured", "no-penalty", more,
              "" if response is None else f"resp={response}"]
    return "\t".join(field for field in fields if field) + "\n"


def converse(peer, socket, pieces):
    """Sends the pieces one after the other, each when the server has dealt with what was before; all lines it says."""
    client = LineSocket(peer.path(socket))
    lines = []
    pid = next(_pids)
    for piece in pieces:
        data = piece if isinstance(piece, bytes) else piece.replace("{pid}", str(pid)).encode()
        if not client.send(data):
            break
        settle(peer)
        lines += rest(client)
    lines += rest(client)
    closed = client.closed
    client.close()
    return [masked(line) for line in lines] + (["closed"] if closed else [])


def rest(client):
    """The lines that are there."""
    lines = []
    while line := client.quiet_line(0.2):
        lines.append(line)
    return lines


def settle(peer):
    """A refusal that was asked for later and has come: whatever was sent before is dealt with, and refusals that the
    reference collects for half a second are out. So a busy machine makes nothing look like silence."""
    client = peer.new_auth()
    for _ in range(2):
        assert client.login(sasl.Plain("nobody", "settle")).kind == "FAIL"
    client.close()


def without_greeting(lines):
    """What follows the greeting; Dovecot's stray TAB at the end of an OK is gone."""
    return [line if line.startswith("CONT") else line.rstrip("\t") for line in lines
            if line.split("\t")[0] not in ("VERSION", "MECH", "SPID", "CUID", "COOKIE",
                                           "DONE") or line.startswith("DONE\t")]


def masked(line):
    for pattern, text in ((r"^(SPID|CUID)\t\d+$", r"\1\tN"), (r"^COOKIE\t[0-9a-f]{32}$", "COOKIE\tC")):
        line = re.sub(pattern, text, line)
    challenge = re.match(r"(CONT\t\d+\t)(\S+)$", line)
    if challenge:
        text = base64.b64decode(challenge.group(2))
        text = re.sub(rb"^<\d+\.\d+@", b"<N.T@", text)
        text = re.sub(rb'nonce="[^"]+"', b'nonce="N"', text)
        text = re.sub(rb"^(r=[!-+]*clientnonce)[!-+\--~]{32,},s=[A-Za-z0-9+/=]{24},", rb"\1N,s=S,", text)
        line = challenge.group(1) + repr(text)
    return line


def compare(conversations, socket="auth-client", whole=False, accept=None):
    """{what: pieces}: all at once, with both servers. `whole`: the greeting too. `accept`: {what: a difference}"""
    pair = state["pair"]
    cut = (lambda lines: lines) if whole else without_greeting
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        started = {(what, peer): pool.submit(converse, peer, socket, pieces)
                   for what, pieces in conversations.items() for peer in pair.peers}
    with pair.together():
        for what in conversations:
            pair.judge(what, *(cut(started[what, peer].result()) for peer in pair.peers),
                       (accept or {}).get(what))
    return {what: cut(started[what, pair.culver].result()) for what in conversations}


def test_start():
    private.install_file("/etc/pair/users", USERS)
    Pair.ACCEPTED = ACCEPTED
    state["pair"] = Pair(CONFIG)


def test_the_greeting_and_old_and_new_minor_versions():
    """The server speaks first; any minor is served; MECH lines with the flags that Postfix filters by."""
    said = compare({"nothing is said": [""], **{f"minor {minor}": [f"VERSION\t1\t{minor}\nCPID\t{{pid}}\n"]
                                                for minor in (0, 1, 2, 3, 99, 4294967295)}}, whole=True)
    assert said["nothing is said"][:2] == ["VERSION\t1\t2", "MECH\tPLAIN\tplaintext"], said["nothing is said"]
    assert said["minor 0"][-4:] == ["SPID\tN", "CUID\tN", "COOKIE\tC", "DONE"], said["minor 0"]


def test_a_handshake_that_breaks_the_rules_is_cut_off():
    said = compare({
        "major 2": ["VERSION\t2\t0\nCPID\t{pid}\n"], "major 0": ["VERSION\t0\t2\n"], "no minor": ["VERSION\t1\n"],
        "VERSION alone": ["VERSION\n"], "major no number": ["VERSION\tx\t1\n"], "CPID first": ["CPID\t{pid}\n"],
        "AUTH first": [auth(response=resp())], "AUTH before CPID": ["VERSION\t1\t2\n" + auth(response=resp())],
        "CPID 0": ["VERSION\t1\t2\nCPID\t0\n"], "CPID no number": ["VERSION\t1\t2\nCPID\tx\n"],
        "CPID negative": ["VERSION\t1\t2\nCPID\t-5\n"], "CPID missing": ["VERSION\t1\t2\nCPID\n"],
        "CPID too large": ["VERSION\t1\t2\nCPID\t99999999999\n"], "CPID twice": [HELLO + "CPID\t{pid}\n"],
        "an unknown command": [HELLO + "WHAT\t1\n"], "an empty line": [HELLO + "\n"],
        "bytes": [HELLO.encode() + b"\xff\0\n"],
        "a command in lower case": [HELLO + auth(response=resp()).lower()],
        "a master's command": [HELLO + "USER\t1\tbob\tservice=imap\n"],
    })
    for what, lines in said.items():
        assert lines[-1] == "closed", (what, lines)


def test_the_initial_response_has_its_quirks():
    """`resp==` is present but empty; `resp=` is absent for a minor below 2, empty from 2 on."""
    old = "VERSION\t1\t1\nCPID\t{pid}\n"
    said = compare({
        "right": [HELLO + auth(response=resp())], "wrong": [HELLO + auth(response=resp(password="no"))],
        "none, then CONT": [HELLO + auth(), f"CONT\t1\t{resp()}\n"],
        "resp==": [HELLO + auth(response="=")], "resp== minor 1": [old + auth(response="=")],
        "resp= minor 1": [old + auth(response=""), f"CONT\t1\t{resp()}\n"],
        "resp= minor 2": [HELLO + auth(response="")],
        "bare resp": [HELLO + auth(more="resp")],
        "not the last parameter": [HELLO + auth(more=f"resp={resp()}\trip=10.0.0.1")],
        "resp and an empty field": [HELLO + auth(more=f"resp={resp()}\t")[:-1] + "\t\n"],
        "not base64": [HELLO + auth(response="***")], "no padding": [HELLO + auth(response=resp().rstrip("="))],
        "a blank in it": [HELLO + auth(response=resp()[:8] + " " + resp()[8:])],
        "CONT not base64": [HELLO + auth(), "CONT\t1\t***\n"], "CONT without data": [HELLO + auth(), "CONT\t1\n"],
        "CONT empty": [HELLO + auth(), "CONT\t1\t\n"], "CONT =": [HELLO + auth(), "CONT\t1\t=\n"],
        "LOGIN whole": [HELLO + auth(mechanism="LOGIN"), "CONT\t1\tYm9i\n", "CONT\t1\tc2VjcmV0\n"],
        "LOGIN with a name": [HELLO + auth(mechanism="LOGIN", response="Ym9i"), "CONT\t1\tc2VjcmV0\n"],
        "LOGIN with an empty name": [HELLO + auth(mechanism="LOGIN", response="=")],
        "CRAM-MD5": [HELLO + auth(mechanism="CRAM-MD5"), "CONT\t1\tYm9iIDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEy\n"],
        "CRAM-MD5 with something first": [HELLO + auth(mechanism="CRAM-MD5", response="Ym9i")],
        "DIGEST-MD5 with something first": [HELLO + auth(mechanism="DIGEST-MD5", response="Ym9i")],
        "SCRAM-SHA-1 without": [HELLO + auth(mechanism="SCRAM-SHA-1"),
                                "CONT\t1\t" + base64.b64encode(b"n,,n=bob,r=clientnonce").decode() + "\n"],
        "ANONYMOUS": [HELLO + auth(mechanism="ANONYMOUS", response="dHJhY2U=")],
    }, accept={"a blank in it": "blank-in-base64"})
    assert said["right"][-1] == "OK\t1\tuser=bob" and said["resp== minor 1"][-1] == "FAIL\t1", said


def test_ids_mechanisms_and_parameters():
    said = compare({
        "id 0": [HELLO + auth(0, response=resp())], "id no number": [HELLO + auth("x", response=resp())],
        "id too large": [HELLO + auth(4294967296, response=resp())],
        "id largest": [HELLO + auth(4294967295, response=resp())],
        "id with zeros": [HELLO + auth("007", response=resp())], "id negative": [HELLO + auth(-1, response=resp())],
        "id in use": [HELLO + auth(5) + auth(5)], "id used again when done": [HELLO + auth(5, response=resp()),
                                                                            auth(5, response=resp())],
        "no mechanism": [HELLO + "AUTH\t1\n"], "nothing": [HELLO + "AUTH\n"],
        "unknown mechanism": [HELLO + auth(mechanism="NOSUCH")], "not offered": [HELLO + auth(mechanism="XOAUTH2")],
        "in lower case": [HELLO + auth(mechanism="plain", response=resp())],
        "no service": [HELLO + auth(service="", response=resp())],
        "an empty service": [HELLO + auth(service="service=", response=resp())],
        "unknown parameters": [HELLO + auth(more="foo=bar\tflag\t=x\t\tdebug\tsuccessful\tuser=ann", response=resp())],
        "an escaped tab": [HELLO + auth(more="session=a\x01tb\x01n\x01", response=resp())],
        "an address that is none": [HELLO + auth(more="rip=nonsense\tlport=99999999\trport=x", response=resp())],
        "secured=tls": [HELLO + auth(more="secured=tls", response=resp())],
        "a certificate": [HELLO + auth(more="valid-client-cert\tcert_username=bob", mechanism="EXTERNAL",
                                       response="=")],
        "no certificate": [HELLO + auth(more="cert_username=bob", mechanism="EXTERNAL", response="=")],
        "final-resp-ok": [HELLO + auth(more="final-resp-ok", response=resp())],
    }, accept={"an empty service": "empty-service", "a certificate": "certificate-name",
               "no certificate": "certificate-name"})
    for what in ("id 0", "id in use", "unknown mechanism", "no service"):
        assert said[what][-1] == "closed", (what, said[what])


def test_cont_and_cancel():
    said = compare({
        "CONT for nothing": [HELLO + "CONT\t999\tYm9i\n"], "CONT without id": [HELLO + "CONT\n"],
        "CONT id no number": [HELLO + "CONT\tx\tYm9i\n"],
        "CONT when all is said": [HELLO + auth(response=resp()), "CONT\t1\tYQ==\n"],
        "CANCEL": [HELLO + auth(), "CANCEL\t1\n", f"CONT\t1\t{resp()}\n"],
        "CANCEL of nothing": [HELLO + "CANCEL\t77\n"],
        "CANCEL without id": [HELLO + "CANCEL\n"], "CANCEL id no number": [HELLO + "CANCEL\tx\n"],
        "CANCEL frees the id": [HELLO + auth(3), "CANCEL\t3\n" + auth(3, response=resp())],
        "others go on": [HELLO + auth(1) + auth(2), f"CANCEL\t1\nCONT\t2\t{resp()}\n"],
        "mixed": [HELLO + auth(1) + auth(2, mechanism="LOGIN") + auth(3, mechanism="LOGIN"),
                  f"CONT\t3\tYW5u\nCONT\t2\tYm9i\n", "CONT\t2\tc2VjcmV0\nCONT\t3\teA==\n", f"CONT\t1\t{resp()}\n"],
    })
    assert "FAIL\t999\treason=Authentication request timed out" in said["CONT for nothing"]
    assert said["CANCEL"][-1] == "FAIL\t1\treason=Authentication request timed out", said["CANCEL"]


def test_long_lines():
    """16384 bytes are a line, more is a reason to be cut off."""
    def padded(length):
        line = auth(more="x=", response=resp())[:-1]
        return (line.replace("x=", "x=" + "y" * (length - len(line)), 1) + "\n")
    said = compare({f"{length} bytes": [HELLO, padded(length)]
                    for length in (8192, 16000, 16383, 17000, 40000, 1000000)})
    assert said["16383 bytes"][-1] == "OK\t1\tuser=bob" and said["17000 bytes"][-1] == "closed", said
    for peer in state["pair"].peers:
        peer.wait_log("BUG: Auth client \\d+ sent us more than 16384 bytes")


def test_a_long_line_without_an_end_fills_no_memory():
    for peer in state["pair"].peers:
        client = peer.new_auth()
        for _ in range(100):
            if not client.send(b"x" * 10000):
                break
        assert client.line() is None, f"{peer.name} goes on reading"
        assert peer.auth().login(sasl.Plain("bob", "secret")).kind == "OK"


def test_the_same_cpid_twice():
    """On auth-client it is nobody's business; on a login socket a number belongs to one connection."""
    pair = state["pair"]
    for socket, answer in (("auth-client", "OK"), ("auth-login", "CLOSED"), ("login/login", "CLOSED")):
        def twice(peer):
            pid = next(_pids)
            first = peer.new_auth(socket, pid=pid)
            second = peer.new_auth(socket, handshake=False, pid=pid)
            second.send(f"VERSION\t1\t2\nCPID\t{pid}\n")
            second.send(auth(response=resp()))
            while (line := second.line()) and not line.startswith("OK"):
                pass
            kind = "CLOSED" if line is None else line.split("\t")[0]
            kept = first.login(sasl.Plain("bob", "secret"))
            first.close()
            second.close()
            again = peer.new_auth(socket, pid=pid).login(sasl.Plain("bob", "secret"))
            return [kind, kept, again]
        said = pair.compare(f"a CPID twice on {socket}", twice)
        assert said[0] == answer and said[1].kind == said[2].kind == "OK", said


def test_nobody_answers_for_another():
    """An id belongs to its connection: CONT and CANCEL from another one find nothing."""
    def meddle(peer):
        one, two = peer.new_auth(), peer.new_auth()
        id = one.begin("PLAIN")
        first = one.reply(id)
        two.send(f"CONT\t{id}\t{resp()}\n")
        foreign = two.reply(id)
        two.send(f"CANCEL\t{id}\n")
        one.answer(id, b"\0bob\0secret")
        own = one.reply(id)
        return [first, foreign, own]
    said = state["pair"].compare("another's request", meddle)
    assert said[1].kind == "FAIL" and said[2].kind == "OK", said


def test_hundreds_of_connections_with_many_requests_at_once():
    def storm(peer, connections=300, requests=20):
        clients = [peer.new_auth() for _ in range(connections)]
        begun = []
        for number in range(requests):
            for client in clients:
                user, password = (("bob", "secret"), ("ann", "x"), ("bob", "x"),
                                  ("nobody", "x"))[(number + client.pid) % 4]
                begun.append((client, client.start(sasl.Plain(user, password)), user, (number + client.pid) % 4 < 2))
        replies = [client.reply(id) for client, id, _, _ in begun]
        wrong = [(str(reply), user, right) for reply, (_, _, user, right) in zip(replies, begun)
                 if reply.kind != ("OK" if right else "FAIL") or reply.get("user") != user]
        assert not wrong, (peer.name, len(wrong), wrong[:5])
        for client in clients:
            client.close()
        return len(replies)
    assert state["pair"].compare("6000 requests on 300 connections", storm) == 6000


def test_going_away_in_the_middle():
    def vanish(peer):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"):
            for when in ("at once", "after the challenge"):
                client = peer.new_auth()
                for _ in range(10):
                    id = client.begin(mechanism)
                if when == "after the challenge":
                    client.reply(id)
                client.close()
            client = peer.new_auth()
            for _ in range(10):
                client.begin("PLAIN", response=b"\0bob\0wrong")
            client.close()
        return [peer.auth().login(sasl.Plain("bob", "secret")), len(peer.auth_pids())]
    state["pair"].compare("clients that vanish", vanish)


def hand_over(peer, socket="auth-login", more=(), cookie=None, params="service=imap\tsecured\tno-penalty", user="bob",
              **changes):
    """A login, and what a mail process gets that asks for it: twice."""
    client = peer.new_auth(socket)
    id = client.start(sasl.Plain(user, "secret"), params)
    login = client.reply(id)
    master = peer.new_master()
    asked = changes.get("id", id)
    first = master.request(client, asked, *more, cookie=cookie)
    second = master.request(client, asked) if first.kind != "CLOSED" else first
    client.close()
    master.close()
    return [login, without_token(first), without_token(second)]


def without_token(reply):
    reply.fields = [re.sub(r"^auth_token=[0-9a-f]{40,64}$", "auth_token=T", field) for field in reply.fields]
    return reply


def test_the_hand_over_of_a_login():
    pair = state["pair"]
    own = str(os.getpid())
    with pair.together():
        for what, options in {
            "from a login socket": {}, "from login/login": {"socket": "login/login"},
            "from auth-client": {"socket": "auth-client"},
            "a wrong cookie, then the right one": {"cookie": "0" * 32},
            "a cookie that is none": {"cookie": "xyz"}, "a cookie too long": {"cookie": "0" * 40},
            "another id": {"id": 77}, "id 0": {"id": 0},
            "our pid": {"more": [f"session_pid={own}"]}, "another's pid": {"more": ["session_pid=1"]},
            "no pid": {"more": ["session_pid=x"]}, "a token": {"more": ["request_auth_token", f"session_pid={own}"]},
            "no login follows": {"params": "service=smtp\tnologin\tno-penalty"},
            "a user who may not": {"user": "gone"},
            "unknown words": {"more": ["foo=bar", "baz"]},
        }.items():
            accept = {"no pid": "session-pid", "a token": "auth-token",
                      "no login follows": "no-login-follows"}.get(what)
            pair.compare(what, lambda peer: hand_over(peer, **options), accept)
    said = hand_over(pair.culver)
    assert said[1].kind == "USER" and said[1].get("auth_mech") == "PLAIN" and said[2].kind == "FAIL", said


def test_the_hand_over_is_for_masters():
    pair = state["pair"]
    for socket in ("auth-userdb", "auth-login", "auth-client"):
        def steal(peer):
            client = peer.new_auth("auth-login")
            id = client.start(sasl.Plain("bob", "secret"))
            client.reply(id)
            thief = LineSocket(peer.path(socket))
            thief.send(f"VERSION\t1\t{1 if socket == 'auth-userdb' else 2}\nREQUEST\t1\t{client.pid}\t{id}\t{client.cookie}\n")
            lines = []
            while line := thief.line():
                lines.append(masked(line))
            return [line for line in lines if line.startswith(("USER", "FAIL"))] + [thief.closed]
        assert pair.compare(f"REQUEST on {socket}", steal) == [True]


def test_the_master_side():
    hello = "VERSION\t1\t1\n"
    said = compare({
        "nothing is said": [""], "USER": [hello + "USER\t1\tbob\tservice=imap\n"],
        "upper case": [hello + "USER\t1\tBOB\tservice=imap\n"],
        "unknown": [hello + "USER\t2\tnobody\tservice=imap\n"], "no service": [hello + "USER\t3\tbob\n"],
        "no name": [hello + "USER\t4\n"], "an empty name": [hello + "USER\t4\t\tservice=imap\n"],
        "no id": [hello + "USER\n"],
        "id 0": [hello + "USER\t0\tbob\tservice=imap\n"], "id no number": [hello + "USER\tx\tbob\tservice=imap\n"],
        "PASS": [hello + "PASS\t5\tbob\tservice=imap\n"], "PASS unknown": [hello + "PASS\t5\tnobody\tservice=imap\n"],
        "LIST": [hello + "LIST\t6\tservice=doveadm\n"],
        "LIST with a mask": [hello + "LIST\t6\tservice=doveadm\tuser=a*\n"],
        "LIST without service": [hello + "LIST\t6\n"],
        "unknown command": [hello + "WHAT\t1\n"], "CANCEL": [hello + "CANCEL\t1\n"],
        "AUTH": [hello + auth(response=resp())],
        "major 2": ["VERSION\t2\t0\nUSER\t1\tbob\tservice=imap\n"], "an empty line": [hello + "\n"],
        "many at once": [hello + "".join(f"USER\t{n}\tbob\tservice=imap\n" for n in range(1, 40))],
        "a disallowed name": [hello + "USER\t7\ta\x01tb\tservice=imap\nPASS\t8\ta\x01tb\tservice=imap\n"],
    }, "auth-master")
    assert said["no service"][-1] == "closed" and said["USER"][-1].startswith("USER\t1\tbob\tuid=5000"), said


def test_the_masters_own_commands():
    hello = "VERSION\t1\t1\n"
    cases = {"CACHE-FLUSH": [hello + "CACHE-FLUSH\t10\n"],
             "CACHE-FLUSH of users": [hello + "CACHE-FLUSH\t11\tbob\tann\n"],
             "REQUEST without all": [hello + "REQUEST\t1\t2\n"],
             "REQUEST of nobody": [hello + f"REQUEST\t1\t2\t3\t{'0' * 32}\n"],
             "USER and PASS": [hello + "USER\t1\tbob\tservice=imap\n", "PASS\t2\tann\tservice=imap\n"]}
    said = compare(cases, "auth-master")
    assert said["CACHE-FLUSH"][-1] == "OK\t10\t0", said
    said = compare(cases, "auth-userdb")
    assert said["CACHE-FLUSH"][-1] == "closed", said


def test_refusals_wait_and_delay_nobody_else():
    """auth_failure_delay: a refusal comes 2 seconds later, a right login and nonsense in the meantime at once."""
    state["pair"].restart(CONFIG + "auth_failure_delay = 2 secs\n")

    def wait(peer):
        client = peer.auth()
        for _ in range(5):  # a machine that stands still for seconds spoils the order
            start = time.monotonic()
            refused = [client.start(sasl.Plain("bob", "wrong")), client.start(sasl.Plain("nobody", "wrong"))]
            quick = client.login(sasl.Plain("bob", "secret"))
            broken = client.reply(client.begin("PLAIN", response="***"))
            first = not any(client.has_heard_of(id) for id in refused)
            replies = [client.reply(id) for id in refused]
            assert time.monotonic() - start > 1.4, f"{peer.name}: a refusal does not wait"
            if first:
                return [quick, *replies, broken]
        raise AssertionError(f"{peer.name}: others wait with who is refused")
    state["pair"].compare("the delay of refusals", wait)


def test_every_accepted_difference_is_there():
    unused = state["pair"].unused()
    assert not unused, f"no difference fits any more: {unused}"
    print(f"   {state['pair'].count} comparisons, accepted: {state['pair'].used}")


CLEANUP = [lambda: state["pair"].stop()]

if __name__ == "__main__":
    case.main(globals())
