#!/usr/bin/env python3
"""SCRAM with channel binding (RFC 5802, RFC 9266): who is let in, where it is offered, and what cannot be faked.

Clients: GNU SASL, and a SCRAM client over `openssl s_client`, which says what its end of the channel is bound to.
"""

import base64
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, sasl, simple, tlspipe
from harness.authclient import AuthClient
from harness.mail import Connection, make_certificate
from harness.server import wait_for
from harness.simple import PASSWORD, USER
from harness.tlspipe import BoundConnection

CERTIFICATE = "/etc/dovecot/dovecot.pem"
MECHANISMS = ("SCRAM-SHA-1", "SCRAM-SHA-256")
CLIENTS = {"SCRAM-SHA-1": sasl.ScramSha1, "SCRAM-SHA-256": sasl.ScramSha256}
REFUSED = "NO [AUTHENTICATIONFAILED] Authentication failed."
state = {}


def test_start():
    state["server"] = simple.start(
        "auth_mechanisms = plain scram-sha-1 scram-sha-256 scram-sha-1-plus scram-sha-256-plus\n"
        "auth_failure_delay = 0\nauth_verbose = yes\n"
        "mail_max_userip_connections = 1000\n")


def log_in(connection, mechanism, scram):
    """The text of the tagged answer. The client checks what the server proves."""
    connection.send(f"a AUTHENTICATE {mechanism} " + base64.b64encode(scram.initial()).decode())
    while line := connection.line():
        if line.startswith("+"):
            challenge = base64.b64decode(line[2:])
            assert scram.shape(challenge) != "v=WRONG", "the server's proof"
            connection.send(base64.b64encode(scram.respond(challenge)).decode())
        elif line.startswith("a "):
            assert not line.startswith("a OK") or scram.expected, "no proof of the server"
            return "OK" if line.startswith("a OK") else line.removeprefix("a ")
    return None


def attempt(name, gs2="n", binding=b"", plus=False, password=PASSWORD, options=()):
    """`binding`: bytes, or a function of the connection that gives them."""
    with BoundConnection(993, "127.0.0.1", *options) as connection:
        data = binding(connection) if callable(binding) else binding
        scram = CLIENTS[name](USER, password, gs2=gs2, binding=data)
        return log_in(connection, name + ("-PLUS" if plus else ""), scram)


def own_exporter(connection):
    return connection.tls_exporter


def expect(expected, *args, **options):
    got = attempt(*args, **options)
    assert got == expected, (args, options, got, state["server"].log()[-800:])


def test_gnu_sasl_logs_in_bound_to_the_exporter():
    for mechanism in MECHANISMS:
        for password, good in ((PASSWORD, True), ("wrong", False))[:1 if mechanism == MECHANISMS[0] else 2]:
            result = subprocess.run(
                ["gsasl", "--imap", "--connect=127.0.0.1:143", "--starttls", "--x509-ca-file=", "-m", mechanism
                 + "-PLUS",
                 "-a", USER, "-p", password, "--verbose"], input="", capture_output=True, text=True, timeout=120)
            said = result.stdout + result.stderr
            assert (result.returncode == 0) == good, said
            assert ("server trusted" in said) == good, said  # it has checked the server's signature
            assert base64.b64encode(b"p=tls-exporter,,").decode()[:18] in said, said
        state["server"].wait_log(rf"Login: user=<{USER}>, method={mechanism}-PLUS, .*, TLS")


def test_it_chooses_plus_by_itself():
    result = subprocess.run(["gsasl", "--imap", "--connect=127.0.0.1:143", "--x509-ca-file=", "-a", USER, "-p",
                             PASSWORD,
                             "--verbose"], input="", capture_output=True, text=True, timeout=120)
    assert result.returncode == 0 and "AUTHENTICATE SCRAM-SHA-256-PLUS" in result.stdout, result.stdout + result.stderr


def test_both_bindings_and_both_hashes():
    for name in MECHANISMS:
        expect("OK", name, "p=tls-exporter", own_exporter, plus=True)
        expect("OK", name, "p=tls-server-end-point", tlspipe.server_end_point(CERTIFICATE), plus=True)
        expect("OK", name, "n")
        expect(REFUSED, name, "p=tls-exporter", own_exporter, plus=True, password="wrong")


def test_what_is_not_this_channel_is_refused():
    with BoundConnection() as other:
        for binding in (other.tls_exporter, b"", b"\0" * 32, tlspipe.server_end_point(CERTIFICATE),
                        lambda connection: connection.tls_exporter[:-1],
                        lambda connection: connection.tls_exporter + b"\0"):
            expect(REFUSED, "SCRAM-SHA-256", "p=tls-exporter", binding, plus=True)
    expect(REFUSED, "SCRAM-SHA-256", "p=tls-server-end-point", own_exporter, plus=True)
    expect(REFUSED, "SCRAM-SHA-256", "p=tls-unique", own_exporter, plus=True)
    expect(REFUSED, "SCRAM-SHA-256", "n", own_exporter)
    state["server"].wait_log(r"scram-sha-256-plus\(\?,.*\): channel binding type tls-unique cannot be had here")


def test_flags_that_do_not_fit_the_mechanism_are_refused():
    expect(REFUSED, "SCRAM-SHA-256", "n", plus=True)
    expect(REFUSED, "SCRAM-SHA-256", "y", plus=True)
    expect(REFUSED, "SCRAM-SHA-256", "p=tls-exporter", own_exporter)
    expect(REFUSED, "SCRAM-SHA-256", "y")  # it was offered: somebody has hidden it
    state["server"].wait_log(r"scram-sha-256\(\?,.*\): downgrade: SCRAM-SHA-256-PLUS was offered and not seen")


def test_tls12_offers_none_and_takes_y():
    with BoundConnection(993, "127.0.0.1", "-tls1_2") as connection:
        assert "AUTH=SCRAM-SHA-256" in connection.greeting and "-PLUS" not in connection.greeting, connection.greeting
        connection.send("a AUTHENTICATE SCRAM-SHA-256-PLUS")
        assert connection.line() == "a NO [ALERT] Unsupported authentication mechanism."
    for flag in ("n", "y"):
        expect("OK", "SCRAM-SHA-256", flag, options=("-tls1_2",))


def test_without_tls_none_is_offered():
    client = Connection(143)
    assert "AUTH=SCRAM-SHA-256" in (greeting := client.line()) and "-PLUS" not in greeting, greeting
    assert client.command("a AUTHENTICATE SCRAM-SHA-256-PLUS") == ["a NO [ALERT] Unsupported authentication mechanism."]
    assert log_in(client, "SCRAM-SHA-256", sasl.ScramSha256(USER, PASSWORD, gs2="y")) == "OK"
    client.close()
    client = Connection(993, tls=True)
    assert " AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256-PLUS]" in client.line()
    client.close()


def test_somebody_in_the_middle_gets_nowhere():
    """He has a certificate that the client believes, and passes everything on."""
    make_certificate("/etc/middle.pem", "/etc/middle.key")
    tlspipe.Middle(9993, "/etc/middle.pem", "/etc/middle.key")
    with BoundConnection(9993) as connection:
        assert "-PLUS" in connection.greeting
        scram = sasl.ScramSha256(USER, PASSWORD, gs2="p=tls-exporter", binding=connection.tls_exporter)
        assert log_in(connection, "SCRAM-SHA-256-PLUS", scram) == REFUSED
        scram = sasl.ScramSha256(USER, PASSWORD, gs2="p=tls-server-end-point",
                                 binding=tlspipe.server_end_point("/etc/middle.pem"))
        assert log_in(connection, "SCRAM-SHA-256-PLUS", scram) == REFUSED
    # He hides -PLUS; the client says that it would have bound itself.
    tlspipe.Middle(9994, "/etc/middle.pem", "/etc/middle.key", lambda data: data.replace(b"-PLUS", b"-XXXX"))
    with BoundConnection(9994) as connection:
        assert "-PLUS" not in connection.greeting
        assert log_in(connection, "SCRAM-SHA-256", sasl.ScramSha256(USER, PASSWORD, gs2="y")) == REFUSED


def test_cve_2026_33603_a_client_cannot_say_what_the_channel_is():
    """Base64 with blanks or TABs must not become a parameter on the auth socket."""
    scram = sasl.ScramSha256(USER, PASSWORD, gs2="p=tls-exporter", binding=b"\0" * 32)
    zeros = "tls-exporter=" + "00" * 32
    first = base64.b64encode(scram.initial()).decode()
    for separator in ("\t", " ", "\x01t", "\x00", "\r", "\x0b"):
        for text in (f"{first}{separator}{zeros}", f"{first[:8]}{separator}{zeros}{separator}resp={first}"):
            with BoundConnection() as connection:
                connection.send("a AUTHENTICATE SCRAM-SHA-256-PLUS")
                assert connection.line().startswith("+")
                connection.send(text.encode() + b"\n")
                answer = connection.line()
                assert answer is None or answer.startswith("a BAD"), (text, answer)
            with BoundConnection() as connection:
                connection.send(f"a AUTHENTICATE SCRAM-SHA-256-PLUS {text}".encode() + b"\n")
                answer = connection.line() or "closed"
                assert "OK" not in answer.split()[:2] and not answer.startswith("+"), (text, answer)
    assert "BUG: Authentication client" not in state["server"].log()


def test_only_login_sockets_speak_of_bindings():
    zeros = "tls-exporter=" + "00" * 32
    client = AuthClient("/run/dovecot/auth-client")
    assert not [line for line in client.mechanisms if "PLUS" in line], client.mechanisms
    for mechanism, params in (("SCRAM-SHA-256-PLUS", ""), ("SCRAM-SHA-256", "\t" + zeros), ("PLAIN", "\t" + zeros),
                              ("SCRAM-SHA-256", "\ttls-server-end-point=" + "00" * 32)):
        client = AuthClient("/run/dovecot/auth-client")
        assert client.reply(client.begin(mechanism, "service=imap\tsecured" + params)).kind == "CLOSED", (mechanism, params)
    login = AuthClient("/run/dovecot/login/login")
    assert "SCRAM-SHA-256-PLUS\tmutual-auth\tchannel-binding" in login.mechanisms, login.mechanisms
    scram = sasl.ScramSha256(USER, PASSWORD, gs2="p=tls-exporter", binding=b"\0" * 32)
    scram.name = "SCRAM-SHA-256-PLUS"
    assert login.login(scram, "service=imap\tsecured\tno-penalty\t" + zeros).kind == "OK"
    assert login.login(scram, "service=imap\tsecured\tno-penalty").kind == "FAIL"
    for wrong in ("tls-exporter=", "tls-exporter=0", "tls-exporter=zz" + "00" * 31, "tls-exporter=" + "00" * 65,
                  "tls-exporter", "tls-server-end-point=00"):
        login = AuthClient("/run/dovecot/login/login")
        assert login.reply(login.begin("SCRAM-SHA-256-PLUS", "service=imap\t" + wrong)).kind == "CLOSED", wrong


def test_a_reload_that_offers_other_mechanisms_is_seen_and_ends_no_login():
    server = state["server"]
    mark, logins = len(server.log()), set(server.child_pids("imap-login"))
    waiting = Connection(143)
    waiting.line()
    waiting.send("a AUTHENTICATE SCRAM-SHA-256")
    assert waiting.line() == "+ "
    server.write_config(simple.CONFIG + "auth_mechanisms = plain login\nauth_failure_delay = 0\n")
    server.reload()

    def greeting():
        client = Connection(143)
        line = client.line()
        client.close()
        return line
    scram = sasl.ScramSha256(USER, PASSWORD)
    server.wait_log("SIGHUP received")
    waiting.send(base64.b64encode(scram.initial()).decode())
    while (line := waiting.line()).startswith("+"):
        waiting.send(base64.b64encode(scram.respond(base64.b64decode(line[2:]))).decode())
    assert line.startswith("* CAPABILITY") or line.startswith("a OK"), line
    wait_for(lambda: "AUTH=LOGIN]" in greeting() and "SCRAM" not in greeting(), "the new mechanisms are announced")
    client = Connection(143)
    client.line()
    assert client.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK")
    log = server.log()[mark:]
    logins |= set(server.child_pids("imap-login"))
    # What the tests before have sent may be in the log only now.
    wrong = [pid for pid in re.findall(r"BUG: Authentication client (\d+)", log) if int(pid) in logins]
    assert not wrong and "lost connection" not in log, log


CLEANUP = [lambda: state["server"].stop()]
if __name__ == "__main__":
    case.main(globals())
