#!/usr/bin/env python3
"""A directory server that hangs behind a file that answers: who stands in the file does not wait, whatever is asked
about him. And logins that nobody waits for any more. Culver alone; in all detail: tests/unit/authd/lanes-test.cpp."""

import os
import re
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import culver_alone
from harness.server import wait_for

CONFIG = """auth_mechanisms = plain cram-md5 scram-sha-1 scram-sha-256
auth_master_user_separator = *
auth_worker_max_count = 2
passdb {
  driver = passwd-file
  args = /etc/pair/masters
  master = yes
}
passdb {
  driver = passwd-file
  args = /etc/pair/users
}
passdb {
  driver = ldap
  args = /etc/pair/hung.conf
}
userdb {
  driver = passwd-file
  args = /etc/pair/users
}
userdb {
  driver = ldap
  args = /etc/pair/hung.conf
}
"""
HUNG = "hosts = 127.0.0.1:3890\nbase = dc=example\npass_filter = (uid=%u)\nuser_filter = (uid=%u)\n"
state = {}


def test_start():
    # The kernel takes the connections; nobody ever reads what they say.
    state["hung"] = socket.create_server(("127.0.0.1", 3890), backlog=512)
    private.install_file("/etc/pair/users", "alice:{PLAIN}secret:5000:5000::/var/vmail/alice::\n")
    private.install_file("/etc/pair/masters", "boss:{PLAIN}boss\n")
    private.install_file("/etc/pair/hung.conf", HUNG)
    state["culver"] = culver_alone(CONFIG)


def questions(culver):
    for mechanism in (sasl.Plain, sasl.CramMd5, sasl.ScramSha1, sasl.ScramSha256):
        for login in (mechanism("alice", "secret"), mechanism("alice*boss", "boss")):
            reply = culver.new_auth().login(login)
            assert reply.kind == "OK" and reply.get("user") == "alice", (login, reply)
    assert culver.new_master().user("alice").get("home") == "/var/vmail/alice"
    assert culver.new_master().passdb("alice").kind == "PASS"
    result = culver.doveadm("user", "alice")
    assert "/var/vmail/alice" in result.stdout, result
    master = culver.new_master()
    master.send("LIST\t1\tservice=doveadm\n")
    assert master.line() == "LIST\t1\talice"


def restart(culver):
    for pid in culver.auth_pids():  # it would wait for its threads, and those for the directory server
        os.kill(pid, signal.SIGKILL)
    culver.stop()
    culver.start()


def test_a_user_in_the_file_is_answered_whatever_the_question():
    """While more logins than there are threads wait for the directory server. It is given up after a while, and a busy
    machine may be slower than that: then once more."""
    culver = state["culver"]
    for _ in range(5):
        flood = culver.new_auth()
        waiting = [flood.start(sasl.Plain("late", "x"), f"service=imap\trip=10.0.{number}.1\tno-penalty")
                   for number in range(8)]
        questions(culver)
        none_answered = flood.quiet_line(0.01) == ""
        flood.close()
        restart(culver)
        if none_answered:
            return
    raise AssertionError(f"answered only when none of {waiting} waited for the directory server any more")


def test_a_login_that_is_given_up_has_one_line():
    culver = state["culver"]
    client = culver.new_auth()
    id = client.begin("CRAM-MD5", "service=imap\trip=192.0.2.70\tsession=one")
    assert client.reply(id).kind == "CONT"
    client.send(f"CANCEL\t{id}\n")
    culver.wait_log(r"Login abandoned: user=<>, service=imap, mech=CRAM-MD5, rip=192\.0\.2\.70, session=<one>: "
                    r"client: cancelled it$")
    assert client.login(sasl.Plain("alice", "secret")).kind == "OK"  # the file is read
    client.start(sasl.Plain("late", "x"), "service=imap\trip=192.0.2.71")
    client.close()
    line = culver.wait_log(r"Login \w+: .*rip=192\.0\.2\.71.*$").group(0)
    assert re.search(r"Login abandoned: user=<late>.*passwd-file\(/etc/pair/users\): unknown user; "
                     r"ldap\(/etc/pair/hung\.conf\): internal failure.*; client: went away", line), line
    # Who goes while the refusal is delayed has his line already.
    client = culver.new_auth()
    client.start(sasl.Plain("alice", "wrong"), "service=imap\trip=192.0.2.72")
    culver.wait_log(r"Login refused: user=<alice>.*rip=192\.0\.2\.72: .*password mismatch; ldap")
    client.close()
    assert culver.new_auth().login(sasl.Plain("alice", "secret")).kind == "OK"
    assert len(re.findall(r"Login .*rip=192\.0\.2\.72", culver.log())) == 1, culver.log()


def test_a_dropped_connection_of_many_logins_does_not_flood_the_log():
    culver = state["culver"]
    client = culver.new_auth()
    for number in range(300):
        client.begin("PLAIN", "service=imap\trip=192.0.2.73")
    client.close()
    wait_for(lambda: culver.log().count("rip=192.0.2.73") == 60, "sixty lines")
    assert culver.new_auth().login(sasl.Plain("alice", "secret")).kind == "OK"
    assert culver.log().count("rip=192.0.2.73") == 60


if __name__ == "__main__":
    case.main(globals())
