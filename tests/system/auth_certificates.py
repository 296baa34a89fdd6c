#!/usr/bin/env python3
"""Client certificates end to end: which ones count, whose name they give, what is said to the others.

Holds for Debian's Dovecot too (CULVER_SERVER=dovecot), but for the tests that say why not.
"""

import base64
import os
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, pki, private, simple
from harness.authclient import AuthClient
from harness.server import IS_CULVER, port_is_open, wait_for

USER, OTHER, PASSWORD = "bob@example.test", "other@example.test", "secret"
CA = "/etc/dovecot/client-ca.pem"
BASE = simple.CONFIG.replace("passdb {", """passdb {
  driver = passwd-file
  mechanisms = external
  args = /etc/dovecot/external
}
passdb {
  mechanisms = plain login scram-sha-256""", 1) + f"""
auth_mechanisms = plain login external scram-sha-256
auth_failure_delay = 0
auth_verbose = yes

ssl_ca = <{CA}
ssl_verify_client_cert = yes
"""
FROM_CERT, REQUIRED = "auth_ssl_username_from_cert = yes\n", "auth_ssl_require_client_cert = yes\n"
NO, OK = "NO [AUTHENTICATIONFAILED] Authentication failed.", "OK"
NOT_PRESENTED = "NO [ALERT] Client didn't present valid SSL certificate"
NAMELESS = "NO [AUTHORIZATIONFAILED] Unable to validate certificate"
EXTERNAL = "AUTHENTICATE EXTERNAL ="
state, certificates = {"source": 0}, {}


def plain(user, password=PASSWORD, authzid=""):
    return "AUTHENTICATE PLAIN " + base64.b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()


def external(name):
    return "AUTHENTICATE EXTERNAL " + base64.b64encode(name.encode()).decode()


def session(certificate, *commands, version=None, starttls=False):
    """The last line of each command's answer on one connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.maximum_version = version
    if certificate:
        context.load_cert_chain(certificates[certificate].certificate, certificates[certificate].key)
    state["source"] += 1  # who failed before is not held here
    source = f"127.{20 + state['source'] // 200}.{1 + state['source'] % 200}.1"
    raw = socket.create_connection(("127.0.0.1", 143 if starttls else 993), 60, (source, 0))
    raw.settimeout(60)
    if starttls:
        while not raw.recv(4096).startswith(b"s OK"):
            raw.sendall(b"s STARTTLS\r\n")
    answers = []
    with context.wrap_socket(raw) as tls, tls.makefile("rwb") as stream:
        if not starttls:
            stream.readline()
        for number, command in enumerate(commands):
            tag = f"t{number} "
            stream.write((tag + command + "\r\n").encode())
            stream.flush()
            line = stream.readline().decode()
            while line and not line.startswith(tag):
                if line.startswith("+"):
                    stream.write(b"\r\n")
                    stream.flush()
                line = stream.readline().decode()
            answer = line.removeprefix(tag).rstrip()
            answers.append("OK" if answer.startswith("OK ") else answer)
    return answers


def check(rows):
    for certificate, command, expected in rows:
        got = session(certificate, command)[0]
        assert got == expected, f"{certificate}: {command}: {got!r}, not {expected!r}\n{state['server'].log()[-1500:]}"


def configure(more, ca=None):
    private.install_file(CA, ca or state["ours"].text())
    state["server"].restart(BASE + more)
    wait_for(lambda: port_is_open(993), "port 993")


def test_start():
    ours, theirs = pki.Authority("ours"), pki.Authority("theirs")
    state["ours"] = ours
    long_ago = ("-startdate", "200101000000Z", "-enddate", "200201000000Z")
    certificates.update(
        bob=ours.issue("bob", f"/CN={USER}"), shout=ours.issue("shout", f"/CN={USER.upper()}"),
        boss=ours.issue("boss", "/CN=boss"), two=ours.issue("two", f"/CN={OTHER}/CN={USER}"),
        mail=ours.issue("mail", f"/O=x/emailAddress={USER}"),
        number=ours.issue("number", f"/O=x/x500UniqueIdentifier={USER}"), nameless=ours.issue("nameless", "/O=x"),
        expired=ours.issue("expired", f"/CN={USER}", *long_ago), revoked=ours.issue("revoked", f"/CN={USER}"),
        server=ours.issue("server", f"/CN={USER}", usage="server"), foreign=theirs.issue("foreign", f"/CN={USER}"),
        self=pki.self_signed("self", f"/CN={USER}"))
    ours.revoke(certificates["revoked"])
    ours.write_crl()
    private.install_file("/etc/dovecot/external", f"{USER}:{{PLAIN}}::::::nopassword\nboss:{{PLAIN}}::::::nopassword\n")
    state["server"] = simple.start(users=(USER, OTHER))


BAD = ("expired", "revoked", "foreign", "self", "server", None)


def test_a_certificate_gives_the_name():
    configure(FROM_CERT)
    check([("bob", EXTERNAL, OK), ("shout", EXTERNAL, OK), ("bob", external(USER), OK),
           ("two", EXTERNAL, NO), ("mail", EXTERNAL, NO if not IS_CULVER else NAMELESS)])
    check([(name, EXTERNAL, NO) for name in BAD])
    # The certificate's name counts, whatever name comes with a password.
    check([("bob", plain(USER), OK), ("bob", plain(OTHER), OK), ("bob", plain(""), OK), ("bob", plain(OTHER, "x"), NO),
           ("bob", "LOGIN nobody secret", OK), ("two", "LOGIN bob@example.test secret", OK)])
    # Without a good one a password does what it always does.
    check([(name, plain(USER), OK) for name in BAD])
    state["server"].wait_log(rf"Login: user=<{USER}>, method=EXTERNAL, .*TLS")


def test_in_the_log_stands_what_is_wrong_with_a_certificate():
    if not IS_CULVER:
        return  # only with verbose_ssl, and then without an address
    for name, problem in (("expired", "certificate has expired"), ("revoked", "certificate revoked"),
                          ("foreign", "unable to get local issuer certificate"), ("self", "self-signed certificate"),
                          ("server", "unsuitable certificate purpose")):
        mark = len(state["server"].log())
        session(name, "NOOP")
        said = f"Received invalid SSL certificate: {problem}: /CN={USER} (check ssl_ca setting?): user=<>, rip=127."
        wait_for(lambda: said in state["server"].log()[mark:], lambda: f"{said}: {state['server'].log()[mark:]}")


def test_starttls_and_tls12_are_no_different():
    for options in ({"starttls": True}, {"version": ssl.TLSVersion.TLSv1_2},
                    {"starttls": True, "version": ssl.TLSVersion.TLSv1_2}):
        assert session("bob", EXTERNAL, **options) == [OK], options
        assert session("revoked", EXTERNAL, **options) == [NO], options


def test_without_a_response_the_server_asks():
    assert session("bob", "AUTHENTICATE EXTERNAL") == [OK]
    assert session("revoked", "AUTHENTICATE EXTERNAL") == [NO]


def test_a_name_without_its_setting_is_no_name():
    configure("")
    check([("bob", EXTERNAL, NO), ("bob", external(USER), NO), ("bob", plain(OTHER), OK)])


def test_required_certificates():
    configure(REQUIRED)
    check([(name, plain(USER), OK) for name in ("bob", "boss", "nameless")])
    check([(name, plain(USER), NOT_PRESENTED) for name in BAD])
    check([(name, f"LOGIN {USER} {PASSWORD}", NOT_PRESENTED) for name in BAD])
    for name, said in (("revoked", "client sent an invalid cert"), (None, "client didn't send a cert")):
        mark = len(state["server"].log())
        session(name, "NOOP")
        wait_for(lambda: f"({said})" in state["server"].log()[mark:],
                 lambda: said + state["server"].log()[mark - 500:])


def test_required_and_named_by_it():
    """CVE-2019-3814: a good certificate without the field logged in as whoever the client said."""
    configure(REQUIRED + FROM_CERT)
    check([("bob", EXTERNAL, OK), ("bob", plain(OTHER), OK)])
    for name in ("nameless", "mail", "number"):
        check([(name, EXTERNAL, NAMELESS), (name, external(USER), NAMELESS), (name, plain(USER), NAMELESS),
               (name, f"LOGIN {USER} {PASSWORD}", NAMELESS)])
    check([(name, EXTERNAL, NOT_PRESENTED) for name in BAD])
    state["server"].wait_log("Error: Cannot get username from certificate: Missing username in certificate: user=<")


def test_a_certificate_without_the_field_never_logs_in():
    if not IS_CULVER:
        return  # Dovecot asks for the password alone where certificates are not required
    configure(FROM_CERT)
    for name in ("nameless", "mail", "number"):
        check([(name, plain(USER), NAMELESS), (name, f"LOGIN {USER} {PASSWORD}", NAMELESS)])


def test_other_fields():
    configure(REQUIRED + FROM_CERT + "ssl_cert_username_field = emailAddress\n")
    check([("mail", EXTERNAL, OK), ("bob", EXTERNAL, NAMELESS), ("number", EXTERNAL, NAMELESS)])
    configure(REQUIRED + FROM_CERT + "ssl_cert_username_field = x500UniqueIdentifier\n")
    check([("number", EXTERNAL, OK), ("bob", EXTERNAL, NAMELESS), ("mail", EXTERNAL, NAMELESS)])
    configure(FROM_CERT + "ssl_cert_username_field = nonsense\n")
    try:
        assert not session("bob", EXTERNAL)
    except OSError:
        pass
    state["server"].wait_log("Failed to initialize SSL server context: Invalid cert_username_field: nonsense")


def test_master_users():
    private.install_file("/etc/dovecot/masters", "boss:{PLAIN}::::::nopassword\n")
    configure(FROM_CERT + """passdb {
  driver = passwd-file
  args = /etc/dovecot/masters
  master = yes
  pass = yes
}
""")
    check([("boss", external(USER), OK), ("bob", external(USER), OK), ("bob", external(OTHER), NO),
           ("revoked", external(OTHER), NO)])
    assert session("boss", external("nobody@example.test")) == ["NO [AUTHORIZATIONFAILED] Authorization failed"]
    state["server"].wait_log(rf"Login: user=<{USER}>, method=EXTERNAL")


def test_lists_of_revoked_certificates():
    ours = state["ours"]
    configure(FROM_CERT, ours.text(crl=False))
    check([("bob", EXTERNAL, NO), ("revoked", EXTERNAL, NO)])  # ssl_require_crl = yes: without one nobody is good
    configure(FROM_CERT + "ssl_require_crl = no\n", ours.text(crl=False))
    check([("bob", EXTERNAL, OK), ("revoked", EXTERNAL, OK)])
    # A list that is there counts for Culver even if none is required; Dovecot does not look at it.
    configure(FROM_CERT + "ssl_require_crl = no\n")
    check([("bob", EXTERNAL, OK), ("revoked", EXTERNAL, NO if IS_CULVER else OK)])


def test_a_session_is_not_resumed_past_a_revocation():
    if not IS_CULVER:
        return
    configure(FROM_CERT)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(certificates["bob"].certificate, certificates["bob"].key)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.maximum_version = version
        with socket.create_connection(("127.0.0.1", 993)) as raw, context.wrap_socket(raw) as tls:
            tls.recv(4096)
            assert not (tls.session and tls.session.has_ticket), version


def test_a_client_of_the_auth_socket_is_believed_only_if_it_is_not_everybodys():
    configure(FROM_CERT + """service auth {
  unix_listener postfix-auth {
    mode = 0660
  }
  unix_listener open-auth {
    mode = 0666
  }
}
""")
    claim = f"service=smtp\tsecured\tno-penalty\tnologin\tvalid-client-cert\tcert_username={USER}"
    wait_for(lambda: os.path.exists("/run/dovecot/open-auth"), "the sockets")
    for name, expected in (("postfix-auth", "OK"), ("open-auth", "FAIL" if IS_CULVER else "OK")):
        client = AuthClient(f"/run/dovecot/{name}")
        assert client.reply(client.begin("EXTERNAL", claim, b"")).kind == expected, name
        # The name without the mark of a good certificate.
        if IS_CULVER:
            bare = claim.replace("\tvalid-client-cert", "")
            assert client.reply(client.begin("EXTERNAL", bare, b"")).kind == "FAIL", name
        client.close()
    if IS_CULVER:
        state["server"].wait_log("speaks of client certificates on a socket that is open to everybody")


def test_a_certificate_is_asked_for_with_an_authority_only():
    state["server"].stop()
    state["server"].write_config(simple.CONFIG + "ssl_verify_client_cert = yes\n")
    result = state["server"].start(check=False)
    said = "ssl_verify_client_cert set, but ssl_ca not"
    assert said in result.stdout + state["server"].log(), result.stdout
    if IS_CULVER:  # the others go on
        wait_for(lambda: port_is_open(143), "the port in the clear")


CLEANUP = [lambda: state["server"].stop()]
if __name__ == "__main__":
    case.main(globals())
