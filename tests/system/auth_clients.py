#!/usr/bin/env python3
"""Every mechanism with real clients: Cyrus SASL (imtest, smtptest), GNU SASL, curl and swaks, against IMAP and
against a Postfix that asks over its socket.

Holds for Debian's Dovecot too (CULVER_SERVER=dovecot), but for the forms with channel binding, which it has not.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, simple
from harness.mail import Connection, swaks
from harness.postfix import Postfix
from harness.server import IS_CULVER, port_is_open, wait_for
from harness.simple import PASSWORD, USER

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
# What is special to some mechanism or other, and UTF-8. Without a character that ISO 8859-1 has not, DIGEST-MD5's
# clients hash it in that (RFC 2831 §2.1.2.1), which neither Dovecot nor Culver does.
HARD_USER, HARD_PASSWORD = "zoe=a@example.test", 'p\u00e4,="w\\ \u20ac'
BASE = """auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
auth_verbose = yes
auth_username_chars =
mail_max_userip_connections = 1000
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
"""
POSTFIX = """myhostname = mailhost.maildomain.test
mydestination =
mynetworks =
smtpd_tls_cert_file = /etc/dovecot/dovecot.pem
smtpd_tls_key_file = /etc/dovecot/private/dovecot.pem
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_security_options = noanonymous
smtpd_helo_required = no
"""
state = {}


def test_start():
    state["server"] = simple.start(BASE)
    private.install_file("/etc/dovecot/users", f"{USER}:{PASSWORD}\n{HARD_USER}:{HARD_PASSWORD}\n")
    state["postfix"] = Postfix(POSTFIX)
    state["postfix"].start()
    wait_for(lambda: port_is_open(25), "Postfix's port")


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


def output(result):
    return (result.stdout + result.stderr).decode(errors="replace")


def cyrus(program, mechanism, user=USER, password=PASSWORD, tls=()):
    """Cyrus SASL; fails unless it has logged in, for which it must have believed the server."""
    arguments = ["-a", user, "-u", user, "-w", password] + (["-m", mechanism] if mechanism else [])
    said = output(run(f"/usr/lib/cyrus/bin/{program}", *tls, *arguments, "127.0.0.1"))
    return "\nAuthenticated." in said and "Authentication failed" not in said, said


def gnu(protocol, mechanism, user=USER, password=PASSWORD, tls=("--no-starttls",)):
    port = "143" if protocol == "imap" else "25"
    result = run("gsasl", f"--{protocol}", f"--connect=127.0.0.1:{port}", *tls, "--no-cb", "--x509-ca-file=", "-m",
                 mechanism,
                 "-a", user, "-p", password, "--quality-of-protection=qop-auth", "-r", "", "--verbose")
    return result.returncode == 0, output(result)


def expect(client, *args, good=True, **options):
    succeeded, said = client(*args, **options)
    assert succeeded == good, f"{args} {options}: {said}\n{state['server'].log()[-1000:]}"
    return said


def forget_failures():
    """Failures are held against the address; a success forgets them."""
    client = Connection(143)
    client.line()
    assert client.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK")
    client.close()


def test_cyrus_sasl_over_imap():
    for mechanism in MECHANISMS:
        for tls in ((), ("-t", ""), ("-s",)):
            said = expect(cyrus, "imtest", mechanism, tls=tls)
            assert mechanism == "LOGIN" or f"AUTHENTICATE {mechanism}" in said, said
        state["server"].wait_log(rf"Login: user=<{USER}>, method={mechanism.replace('LOGIN', 'PLAIN')}, .*TLS")


def test_cyrus_sasl_chooses_for_itself():
    for tls in ((), ("-t", ""), ("-s",)):
        assert "AUTHENTICATE SCRAM-SHA-256" in expect(cyrus, "imtest", None, tls=tls)


def test_cyrus_sasl_with_a_wrong_password():
    for mechanism in ("LOGIN", "CRAM-MD5", "SCRAM-SHA-256"):
        expect(cyrus, "imtest", mechanism, password="wrong", good=False)
        forget_failures()


def test_cyrus_sasl_over_smtp():
    for mechanism in MECHANISMS:
        for tls in ((), ("-t", "")):
            said = expect(cyrus, "smtptest", mechanism, tls=tls)
            assert "235 2.7.0 Authentication successful" in said and "-PLUS" not in said, said
    expect(cyrus, "smtptest", "SCRAM-SHA-1", password="wrong", good=False)
    forget_failures()


def test_gnu_sasl_over_both():
    for protocol in ("imap", "smtp"):
        for mechanism in MECHANISMS:
            expect(gnu, protocol, mechanism)
    for mechanism in MECHANISMS:
        expect(gnu, "imap", mechanism, tls=("--starttls",))
    for mechanism in ("PLAIN", "DIGEST-MD5"):
        expect(gnu, "imap", mechanism, password="wrong", good=False)
        forget_failures()


def test_names_and_passwords_with_every_special_character():
    # LOGIN of both goes by another command, which has no place for 8-bit text.
    for mechanism in MECHANISMS:
        if mechanism != "LOGIN":
            expect(cyrus, "imtest", mechanism, HARD_USER, HARD_PASSWORD)
        expect(cyrus, "smtptest", mechanism, HARD_USER, HARD_PASSWORD)
    for mechanism in MECHANISMS:
        expect(gnu, "imap", mechanism, HARD_USER, HARD_PASSWORD)


def test_curl():
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):  # its DIGEST-MD5 wants a realm that is not empty
        for url in ("imap://127.0.0.1", "imaps://127.0.0.1"):
            result = run("curl", "-sSk", url, "-u", f"{USER}:{PASSWORD}", "--login-options", f"AUTH={mechanism}", "-X",
                         "NOOP")
            assert result.returncode == 0, (mechanism, url, output(result))
        result = run("curl", "-sS", "imap://127.0.0.1", "-u", f"{USER}:wrong", "--login-options", f"AUTH={mechanism}",
                     "-X", "NOOP")
        assert result.returncode == 67, (mechanism, output(result))  # CURLE_LOGIN_DENIED
        forget_failures()


def test_swaks():
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        for tls in ((), ("--tls",)):
            code, said = swaks("--server", "127.0.0.1", "--to", "a@extdomain.test", "--auth", mechanism, "--auth-user",
                               USER,
                               "--auth-password", PASSWORD, "--quit-after", "AUTH", *tls)
            assert code == 0 and "235 2.7.0" in said, (mechanism, said)


def test_binding_beside_clients_that_cannot():
    """With -PLUS on offer whoever names a mechanism still gets in; Cyrus 2.1.28 by itself binds to tls-unique, which TLS
    1.3 has not, and is refused (docs/channel-binding.md)."""
    if not IS_CULVER:
        return
    state["server"].restart(simple.CONFIG + BASE.replace("scram-sha-256\n", "scram-sha-256 scram-sha-256-plus\n", 1))
    wait_for(lambda: port_is_open(143), "the port")
    for mechanism in MECHANISMS:
        expect(cyrus, "imtest", mechanism, tls=("-s",))
        expect(gnu, "imap", mechanism, tls=("--starttls",))
    expect(cyrus, "imtest", None)
    state["postfix"].stop()
    state["postfix"].start()
    wait_for(lambda: port_is_open(25), "Postfix's port")
    assert "-PLUS" not in expect(cyrus, "smtptest", "SCRAM-SHA-256", tls=("-t", ""))
    # Whatever happens to a client that is wrong about the channel: it is refused, and the log says why.
    expect(cyrus, "imtest", None, tls=("-t", ""), good=False)
    state["server"].wait_log("scram-sha-256.*the client binds to a channel, but chose a mechanism without -PLUS")


CLEANUP = [lambda: state["postfix"].stop(), lambda: state["server"].stop()]
if __name__ == "__main__":
    case.main(globals())
