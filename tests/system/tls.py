#!/usr/bin/env python3
"""Seeds 002 and 003: a certificate chain in certbot's layout, sent whole; renewed files; SNI; old protocols refused."""

import os
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, simple
from harness.mail import Connection, make_certificate
from harness.server import IS_CULVER, wait_for
from harness.simple import PASSWORD, USER

NAME = "mailhost.maildomain.test"
LIVE = f"/etc/letsencrypt/live/{NAME}"
state = {}


def openssl(*arguments, **options):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, **options)


def make_chain(serial):
    """Root, intermediate and a server certificate; certbot's archive and live directories with symbolic links."""
    work, archive = "/etc/ca", f"/etc/letsencrypt/archive/{NAME}"
    for directory in (work, archive, LIVE):
        os.makedirs(directory, exist_ok=True)
    if not os.path.exists(f"{work}/root.pem"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Test Root", "-keyout",
                f"{work}/root.key", "-out", f"{work}/root.pem")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test Intermediate", "-keyout", f"{work}/mid.key",
                "-out", f"{work}/mid.csr")
        private.install_file(f"{work}/ca.ext", "basicConstraints=critical,CA:TRUE\n")
        openssl("x509", "-req", "-in", f"{work}/mid.csr", "-CA", f"{work}/root.pem", "-CAkey", f"{work}/root.key",
                "-CAcreateserial", "-days", "30", "-extfile", f"{work}/ca.ext", "-out", f"{work}/mid.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", "-keyout", f"{archive}/privkey{serial}.pem",
            "-out", f"{work}/server.csr")
    private.install_file(f"{work}/server.ext", f"subjectAltName=DNS:{NAME}\n")
    openssl("x509", "-req", "-in", f"{work}/server.csr", "-CA", f"{work}/mid.pem", "-CAkey", f"{work}/mid.key",
            "-set_serial",
            str(1000 + serial), "-days", "30", "-extfile", f"{work}/server.ext", "-out", f"{work}/server.pem")
    with open(f"{archive}/fullchain{serial}.pem", "w") as chain:
        for part in ("server", "mid"):
            with open(f"{work}/{part}.pem") as file:
                chain.write(file.read())
    os.chmod(f"{archive}/privkey{serial}.pem", 0o400)
    for name in ("fullchain", "privkey"):
        link = f"{LIVE}/{name}.pem"
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(f"../../archive/{NAME}/{name}{serial}.pem", link)


def serial_of(port=993, server_name=NAME, starttls=False):
    """Connects with full verification against the root alone; the serial number of the server's certificate."""
    context = ssl.create_default_context(cafile="/etc/ca/root.pem")
    plain = socket.create_connection(("127.0.0.1", port), 60)
    if starttls:
        plain.recv(4096)
        plain.sendall(b"s STARTTLS\r\n")
        plain.recv(4096)
    with context.wrap_socket(plain, server_hostname=server_name) as tls:
        return int(tls.getpeercert()["serialNumber"], 16)


def test_the_chain_is_sent_whole_on_both_ports():
    make_chain(1)
    state["server"] = simple.start(f"ssl = required\nssl_cert = <{LIVE}/fullchain.pem\nssl_key = <{LIVE}/privkey.pem\n"
                                   "local_name other.test {\n  ssl_cert = </etc/other.pem\n  ssl_key = "
                                   "</etc/other.key\n}\n"
                                   if make_certificate("/etc/other.pem", "/etc/other.key",
                                                       "other.test") is None else "")
    assert serial_of() == 1001
    assert serial_of(143, starttls=True) == 1001


def test_another_name_gets_its_own_certificate():
    context = ssl.create_default_context(cafile="/etc/other.pem")
    with context.wrap_socket(socket.create_connection(("127.0.0.1", 993), 60), server_hostname="other.test") as tls:
        assert ("commonName", "other.test") in tls.getpeercert()["subject"][0]


def test_old_protocols_are_refused():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        context.wrap_socket(socket.create_connection(("127.0.0.1", 993), 60))
    except (ssl.SSLError, OSError):
        return
    raise AssertionError("TLS 1.1 is accepted")


def test_what_came_before_the_handshake_does_not_survive_it():
    plain = socket.create_connection(("127.0.0.1", 143), 60)
    plain.recv(4096)
    plain.sendall(f"s STARTTLS\r\na LOGIN {USER} {PASSWORD}\r\n".encode())
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        assert b"OK Begin TLS" in plain.recv(4096)
        tls = context.wrap_socket(plain)
        tls.settimeout(2)
        data = tls.recv(4096)
        assert b"Logged in" not in data, data
    except (ssl.SSLError, OSError):
        pass


def test_a_renewed_certificate_is_taken_up_by_reload_and_sessions_live_on():
    session = Connection(993, tls=True)
    session.line()
    assert " OK " in session.command(f"a LOGIN {USER} {PASSWORD}")[-1]
    make_chain(2)
    assert serial_of() == 1001
    state["server"].reload()
    wait_for(lambda: serial_of() == 1002, "the new certificate is used")
    assert session.command("b NOOP")[-1].startswith("b OK")
    session.close()


def test_a_key_of_another_certificate_is_said_and_the_clear_port_lives():
    server = state["server"]
    server.stop()
    with open(server.path) as file:
        text = file.read()
    server.write_config(text.replace(f"ssl_key = <{LIVE}/privkey.pem", "ssl_key = </etc/other.key"))
    server.start()
    server.wait_log(r"[Kk]ey is for a different cert|does not (match|belong)" if IS_CULVER else "starting up")
    greeting = Connection(143).line()
    assert greeting.startswith("* OK [CAPABILITY IMAP4rev1"), greeting


CLEANUP = [lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
