#!/usr/bin/env python3
"""Exim's `dovecot` authenticator against authd: a real Exim, a real SMTP client.

Exim and Postfix do not live on one Debian machine together, so this test takes Exim from a folder into which its
packages were unpacked (EXIM_FOLDER, with the libraries it needs) and puts it into the private machine. Without one it
is skipped; what Exim sends is replayed in auth_mta.py anyway.
"""

import base64
import glob
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import attack, case, private, simple
from harness.server import Server, port_is_open, wait_for
from harness.tap import Tap

FOLDER = os.environ.get("EXIM_FOLDER", "/")
SOCKET = "/run/exim-auth"
USER, PASSWORD = simple.USER, simple.PASSWORD
CONFIG = f"""
primary_hostname = mailhost.maildomain.test
daemon_smtp_ports = 2525
local_interfaces = 127.0.0.1
domainlist local_domains = example.test
tls_advertise_hosts =
log_file_path = /var/log/exim4/%slog
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = acl_rcpt
acl_smtp_auth = accept
begin acl
acl_rcpt:
  accept authenticated = *
  deny message = not authenticated
begin routers
all:
  driver = accept
  transport = hole
begin transports
hole:
  driver = appendfile
  file = /dev/null
begin authenticators
dovecot_plain:
  driver = dovecot
  public_name = PLAIN
  server_socket = {SOCKET}
  server_set_id = $auth1
dovecot_login:
  driver = dovecot
  public_name = LOGIN
  server_socket = {SOCKET}
  server_set_id = $auth1
dovecot_cram:
  driver = dovecot
  public_name = CRAM-MD5
  server_socket = {SOCKET}
  server_set_id = $auth1
"""
state = {}


def find_exim():
    for name in ("exim4", "exim"):
        path = os.path.join(FOLDER, "usr/sbin", name)
        if os.path.exists(path):
            return path
    return None


def test_start():
    private.add_user("Debian-exim", system=True, home="/var/spool/exim4")
    libraries = [*glob.glob(f"{FOLDER}/usr/lib/*.so*"),
                 *glob.glob(f"{FOLDER}/usr/lib/*/*.so*")] if FOLDER != "/" else []
    os.makedirs("/usr/local/lib/exim", exist_ok=True)
    for path in libraries:
        shutil.copy(path, "/usr/local/lib/exim/")
    if FOLDER != "/":
        shutil.copy(find_exim(), "/usr/sbin/exim4")
    private.install_file("/etc/ld.so.conf.d/exim.conf", "/usr/local/lib/exim\n")
    subprocess.run(["ldconfig"], check=True)
    private.install_file("/etc/exim4/exim4.conf", CONFIG)
    for folder in ("/var/spool/exim4", "/var/log/exim4"):
        os.makedirs(folder, exist_ok=True)
        shutil.chown(folder, "Debian-exim", "Debian-exim")
    server = simple.start("auth_mechanisms = plain login cram-md5\nauth_failure_delay = 0\n",
                          users=(USER, attack.WITNESS))
    state["server"] = server
    state["tap"] = Tap(SOCKET, attack.AUTH_SOCKET)
    state["exim"] = subprocess.Popen(["/usr/sbin/exim4", "-bdf", "-v"], stdout=open("/run/exim.out", "w"),
                                     stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                     env={"PATH": "/usr/sbin:/usr/bin"})
    try:
        wait_for(lambda: port_is_open(2525), "Exim listens")
    except AssertionError as error:
        raise AssertionError(f"{error}: {open('/run/exim.out').read()}") from None


def swaks(mechanism, user, password, *more):
    """From an address of its own: wrong passwords slow nobody else down."""
    return subprocess.run(["swaks", "--server", "127.0.0.1:2525", "--local-interface", attack.source(), "--auth",
                           mechanism, "--auth-user", user, "--auth-password",
                           password, "--from", "a@example.test", "--to", "b@example.test", "--quit-after", "RCPT",
                           *more],
                          capture_output=True, text=True, timeout=120)


def test_right_and_wrong_passwords():
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        for _ in range(3):
            result = swaks(mechanism, USER, PASSWORD)
            assert "235 Authentication succeeded" in result.stdout and result.returncode == 0, result.stdout
            result = swaks(mechanism, USER, "wrong")
            assert "535 Incorrect authentication data" in result.stdout, result.stdout
        result = swaks(mechanism, "nobody@example.test", PASSWORD)
        assert "535 " in result.stdout, result.stdout


class Smtp:
    def __init__(self):
        import socket
        self.socket = socket.create_connection(("127.0.0.1", 2525), 60, (attack.source(), 0))
        self.file = self.socket.makefile("rb")
        self.answer()
        self.say("EHLO client.example.test")

    def answer(self):
        while (line := self.file.readline().decode())[3:4] == "-":
            pass
        return line.strip()

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.answer()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def test_several_in_a_row_on_one_connection():
    smtp = Smtp()
    assert smtp.say("AUTH PLAIN " + b64(f"\0{USER}\0wrong")).startswith("535")
    assert smtp.say("AUTH LOGIN").startswith("334 VXNlcm5hbWU6")  # after the penalty of the wrong one
    assert smtp.say(b64(USER)).startswith("334 UGFzc3dvcmQ6")
    assert smtp.say(b64("wrong")).startswith("535")
    assert smtp.say("AUTH PLAIN").startswith("334")
    assert smtp.say(b64(f"\0{USER}\0{PASSWORD}")).startswith("235")
    assert smtp.say("MAIL FROM:<a@example.test>").startswith("250")


def test_an_empty_initial_response():
    """Exim announces minor version 1 or less and sends `resp=` for it: that is no response at all."""
    smtp = Smtp()
    assert smtp.say("AUTH PLAIN =").startswith(("334", "535", "501")), "whatever Exim makes of it"
    smtp = Smtp()
    assert smtp.say("AUTH LOGIN").startswith("334")
    assert smtp.say("*").startswith("501")
    assert smtp.say("AUTH LOGIN " + b64(USER)).startswith("334 UGFzc3dvcmQ6")
    assert smtp.say(b64(PASSWORD)).startswith("235")
    attack.authd_answers()


def test_authd_is_restarted_meanwhile():
    smtp = Smtp()
    state["server"].restart()
    wait_for(lambda: os.path.exists(attack.AUTH_SOCKET), "the server is up")
    assert smtp.say("AUTH PLAIN " + b64(f"\0{USER}\0{PASSWORD}")).startswith("235")


def test_what_was_sent():
    """Shown when it is asked for: EXIM_RECORD=file keeps it."""
    sent = state["tap"].sent()
    assert sent and all(b"VERSION\t1\t" in text or not text for text in sent), sent[:3]
    if path := os.environ.get("EXIM_RECORD"):
        with open(path, "w") as file:
            for text, reply in zip(sent, state["tap"].received()):
                file.write(f"C {text!r}\nS {reply!r}\n")


def stop():
    state["exim"].terminate()
    state["server"].stop()


CLEANUP = [stop]

if __name__ == "__main__":
    if not find_exim():
        print(f"SKIP: no Exim in {FOLDER} (EXIM_FOLDER names a folder with its unpacked packages)")
        sys.exit(77)
    case.main(globals())
