#!/usr/bin/env python3
"""A real Postfix whose SASL is authd (smtpd_sasl_type = dovecot): every mechanism with right and wrong passwords, the
AUTH line that Postfix makes of authd's flags, authd dying and coming back under a living smtpd; swaks as a second
client; users in a passwd-file, in SQLite and in PAM."""

import base64
import os
import re
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import culver_alone
from harness.mail import Connection, make_certificate, swaks
from harness.postfix import Postfix
from harness.server import build_directory, is_alive, port_is_open, wait_for

USERS = "/etc/pair/users"
USER, PASSWORD = "bob@example.test", "s3cret pässwörd"
MECHANISMS = "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256"
# All clients here come from one address: its penalties (Dovecot's documented switch) would be most of the test's time.
LISTENER = """service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
"""
FILES = f"""auth_mechanisms = {MECHANISMS.lower()}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {USERS}
}}
""" + LISTENER
MAIN = """
myhostname = mailhost.maildomain.test
mydestination = localhost
mynetworks = 192.0.2.1/32
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = {plain}
smtpd_sasl_tls_security_options = {tls}
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/pair/smtp.pem
smtpd_tls_key_file = /etc/pair/private/smtp.key
smtpd_delay_reject = yes
"""
state = {}


class Smtp(Connection):
    def __init__(self, tls=False):
        super().__init__(25, timeout=60)
        self.answer()
        self.features = self.ask("EHLO client.example.test")
        if tls:
            assert self.ask("STARTTLS").startswith("220")
            self.start_tls()
            self.features = self.ask("EHLO client.example.test")

    def answer(self):
        lines = [self.line()]
        while lines[-1] and lines[-1][3:4] == "-":
            lines.append(self.line())
        assert lines[-1] is not None, f"Postfix closes after {lines}"
        return "\n".join(lines)

    def ask(self, text):
        self.send(text)
        return self.answer()

    def mechanisms(self):
        offered = re.search(r"^250[ -]AUTH (.*)$", self.features, re.M)
        return offered.group(1) if offered else ""

    def authenticate(self, mechanism, initial=True):
        first = mechanism.initial()
        reply = self.ask(f"AUTH {mechanism.name}" + (
            " " + (base64.b64encode(first).decode() or "=") if initial and first is not None else ""))
        while reply.startswith("334"):
            reply = self.ask(base64.b64encode(mechanism.respond(base64.b64decode(reply[4:]))).decode())
        return reply


def start_authd(config):
    if "authd" in state:
        state["authd"].stop()
    authd = state["authd"] = culver_alone(config)
    wait_for(authd_answers, "authd answers")
    return authd


def postfix_with(plain="noanonymous", tls="noanonymous"):
    if "postfix" in state:
        state["postfix"].stop()
    state["postfix"] = Postfix(MAIN.format(plain=plain, tls=tls))
    state["postfix"].start()
    wait_for(lambda: port_is_open(25), "Postfix listens")


def session(mechanism, tls=False, initial=True):
    client = Smtp(tls)
    reply = client.authenticate(mechanism, initial)
    client.close()
    return reply


def test_start():
    private.install_file(USERS, f"{USER}:{PASSWORD}\n")
    make_certificate("/etc/pair/smtp.pem", "/etc/pair/private/smtp.key")
    start_authd(FILES)
    postfix_with()


def test_every_mechanism_with_right_and_wrong_passwords():
    assert Smtp().mechanisms() == MECHANISMS
    for name in MECHANISMS.split():
        for tls in (False, True):
            assert session(sasl.make(name, USER, PASSWORD), tls).startswith("235 2.7.0"), (name, tls)
        reply = session(sasl.make(name, USER, "wrong"))
        assert reply == f"535 5.7.8 Error: authentication failed: (reason unavailable)", (name, reply)
        assert session(sasl.make(name, "nobody@example.test", PASSWORD)) == reply, f"{name}: an unknown user shows"
    assert session(sasl.Plain(USER, PASSWORD), initial=False).startswith("235"), "PLAIN without an initial response"
    assert session(sasl.ScramSha256(USER, PASSWORD), initial=False).startswith("235")


def test_who_is_authenticated_may_relay():
    client = Smtp()
    assert client.ask("MAIL FROM:<a@example.test>").startswith("250")
    reply = client.ask("RCPT TO:<b@elsewhere.test>")
    assert not reply.startswith("250"), f"an open relay: {reply}"
    client.close()
    client = Smtp()
    assert client.authenticate(sasl.ScramSha1(USER, PASSWORD)).startswith("235")
    assert client.ask("MAIL FROM:<a@example.test>").startswith("250")
    assert client.ask("RCPT TO:<b@elsewhere.test>").startswith("250")
    client.close()


def test_an_aborted_login_and_bad_answers():
    client = Smtp()
    for answer in ("*", "!!!", "=", "AAAA"):
        assert client.ask("AUTH PLAIN").startswith("334")
        reply = client.ask(answer)
        assert reply[0] in "45" and reply.startswith(("501", "535")), (answer, reply)
    assert client.authenticate(sasl.Plain(USER, PASSWORD)).startswith("235")
    client.close()


def test_swaks():
    common = ("--server", "127.0.0.1", "--from", "a@example.test", "--to", "b@elsewhere.test", "--auth-user", USER,
              "--quit-after",
              "AUTH")
    for name in ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"):
        code, text = swaks(*common, "--auth", name, "--auth-password", PASSWORD)
        if "missing requirements" in text.lower() or "not available" in text.lower():
            print(f"   swaks cannot do {name} here")
            continue
        assert code == 0 and "235 2.7.0" in text, (name, text[-600:])
        code, text = swaks(*common, "--auth", name, "--auth-password", "wrong")
        assert code != 0 and "535 5.7.8" in text, (name, text[-600:])


def test_postfix_filters_mechanisms_by_their_flags():
    for options, expected in (("noanonymous, noplaintext", "CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256"),
                              ("noanonymous, nodictionary", "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256"),
                              ("noanonymous, mutual_auth", "DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256"),
                              ("noplaintext, noactive", "SCRAM-SHA-1 SCRAM-SHA-256")):
        postfix_with(plain=options)
        client = Smtp()
        assert client.mechanisms() == expected, (options, client.mechanisms())
        assert client.authenticate(sasl.ScramSha256(USER, PASSWORD)).startswith("235")
        client.close()
        tls = Smtp(tls=True)
        assert tls.mechanisms() == MECHANISMS, "smtpd_sasl_tls_security_options count inside TLS"
        tls.close()
    postfix_with()


def authd_answers():
    try:
        return state["authd"].new_auth(timeout=5).mechanisms
    except (OSError, AssertionError):
        return False


def test_authd_dies_and_comes_back_under_a_living_smtpd():
    authd = state["authd"]
    client = Smtp()
    assert client.authenticate(sasl.Plain(USER, "wrong")).startswith("535")
    for round in range(2):
        pid = wait_for(authd.auth_pids, "auth")[0]
        os.kill(pid, signal.SIGKILL)
        # Not before its sockets are closed: what Postfix sends into a dying auth is lost, and Postfix says so (454).
        wait_for(lambda: not is_alive(pid), "auth has died")
        if round:
            wait_for(authd_answers, "auth is started again")
        reply = client.authenticate(sasl.Plain(USER, PASSWORD if round else "wrong"))
        assert reply.startswith("235" if round else "535"), (round, reply)
    client.close()


def test_a_reload_with_a_living_smtpd():
    authd = state["authd"]
    client = Smtp()
    assert client.authenticate(sasl.Plain(USER, "wrong")).startswith("535")
    private.install_file(USERS, f"{USER}:changed\n")
    authd.reload()
    wait_for(lambda: session(sasl.Plain(USER, "changed")).startswith("235"), "the new password counts")
    assert client.authenticate(sasl.ScramSha256(USER, "changed")).startswith("235")
    client.close()
    private.install_file(USERS, f"{USER}:{PASSWORD}\n")


def test_a_temporary_failure_and_no_authd_at_all():
    """Postfix 3.7 has one answer for all of authd's FAILs; without authd it says try again."""
    os.rename(USERS, USERS + ".old")
    reply = session(sasl.Plain(USER, PASSWORD))
    assert reply.startswith("535 5.7.8 Error: authentication failed:"), reply
    state["authd"].wait_log("open|stat|No such file")
    os.rename(USERS + ".old", USERS)
    wait_for(lambda: session(sasl.Plain(USER, PASSWORD)).startswith("235"), "the file is there again")
    client = Smtp()
    state["authd"].stop()
    reply = client.authenticate(sasl.Plain(USER, PASSWORD))
    assert reply.startswith(("454", "421", "535")) and "235" not in reply, reply
    client.close()
    start_authd(FILES)
    wait_for(authd_answers, "authd answers")  # an smtpd that begins without it gives up
    wait_for(lambda: port_is_open(25) and session(sasl.Plain(USER, PASSWORD)).startswith("235"), "authd is back")


def test_users_in_sqlite():
    os.makedirs("/etc/pair/db", exist_ok=True)
    connection = sqlite3.connect("/etc/pair/db/users.sqlite")
    connection.execute("CREATE TABLE users (name TEXT, password TEXT)")
    hashed = subprocess.run([f"{build_directory()}/bin/doveadm", "pw", "-s", "SHA512-CRYPT", "-p", PASSWORD],
                            check=True,
                            capture_output=True, text=True).stdout.strip()
    connection.executemany("INSERT INTO users VALUES (?, ?)",
                           [(USER, "{PLAIN}" + PASSWORD), ("hashed@example.test", hashed)])
    connection.commit()
    connection.close()
    os.chmod("/etc/pair/db", 0o755)
    private.install_file("/etc/pair/sql.conf.ext", "driver = sqlite\nconnect = /etc/pair/db/users.sqlite\n"
                         "password_query = SELECT password FROM users WHERE name = '%u'\n")
    start_authd(f"auth_mechanisms = {MECHANISMS.lower()}\npassdb {{\n  driver = sql\n  args = /etc/pair/sql.conf.ext\n"
                f"}}\n" + LISTENER)
    for name in MECHANISMS.split():
        wait_for(lambda: session(sasl.make(name, USER, PASSWORD)).startswith("235"), name)
        assert session(sasl.make(name, USER, "wrong")).startswith("535"), name
        reply = session(sasl.make(name, "hashed@example.test", PASSWORD))
        assert reply.startswith("235" if name in ("PLAIN", "LOGIN") else "535"), (name, reply)
    assert session(sasl.Plain("x' OR '1'='1", PASSWORD)).startswith("535")


def test_users_of_pam():
    private.add_user("sysone", uid=6001, password="secret")
    private.install_file("/etc/pam.d/smtp", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n")
    start_authd("auth_mechanisms = plain login\npassdb {\n  driver = pam\n  args = %s\n}\n" + LISTENER)
    for name in ("PLAIN", "LOGIN"):
        wait_for(lambda: session(sasl.make(name, "sysone", "secret")).startswith("235"), name)
        assert session(sasl.make(name, "sysone", "wrong")).startswith("535"), name
    assert Smtp().mechanisms() == "PLAIN LOGIN"


CLEANUP = [lambda: state["postfix"].stop(), lambda: state["authd"].stop()]

if __name__ == "__main__":
    case.main(globals())
