#!/usr/bin/env python3
"""chasquid with dovecot_auth against authd: a real chasquid, a real SMTP client.

chasquid is the installed one, or the one of a folder into which its package was unpacked (CHASQUID_FOLDER); without one
this is skipped; what it sends is replayed in auth_mta.py anyway.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import attack, case, private, simple
from harness.mail import make_certificate
from harness.server import port_is_open, wait_for
from harness.tap import Tap

FOLDER = os.environ.get("CHASQUID_FOLDER", "/")
PROGRAM = os.path.join(FOLDER, "usr/bin/chasquid")
USER, PASSWORD = simple.USER, simple.PASSWORD
CLIENT_SOCKET, USERDB_SOCKET = "/run/tap-client", "/run/tap-userdb"
CONFIG = f"""
hostname: "mailhost.maildomain.test"
smtp_address: "127.0.0.1:2625"
submission_address: "127.0.0.1:2627"
mail_delivery_agent_bin: "/bin/true"
data_dir: "/var/lib/chasquid"
mail_log_path: "/var/log/chasquid.log"
dovecot_auth: true
dovecot_userdb_path: "{USERDB_SOCKET}"
dovecot_client_path: "{CLIENT_SOCKET}"
"""
state = {}


def test_start():
    # Whatever port chasquid's package listens on stays free: this configuration is the private machine's.
    private.install_file("/etc/chasquid-test/chasquid.conf", CONFIG)
    os.makedirs("/etc/chasquid-test/domains/example.test", exist_ok=True)
    make_certificate("/etc/chasquid-test/certs/mailhost.maildomain.test/fullchain.pem",
                     "/etc/chasquid-test/certs/mailhost.maildomain.test/privkey.pem")
    os.makedirs("/var/lib/chasquid", exist_ok=True)
    state["server"] = simple.start("auth_failure_delay = 0\n", users=(USER, attack.WITNESS))
    state["client"] = Tap(CLIENT_SOCKET, attack.AUTH_SOCKET)
    state["userdb"] = Tap(USERDB_SOCKET, "/run/dovecot/auth-userdb")
    state["chasquid"] = subprocess.Popen([PROGRAM, "-config_dir", "/etc/chasquid-test"],
                                         stdout=open("/run/chasquid.out", "w"),
                                         stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: port_is_open(2627), "chasquid listens")
    except AssertionError as error:
        raise AssertionError(f"{error}: {open('/run/chasquid.out').read()}") from None


def swaks(user, password, to=USER):
    return subprocess.run(["swaks", "--server", "127.0.0.1:2627", "--local-interface", attack.source(), "-tls",
                           "--auth", "PLAIN",
                           "--auth-user", user, "--auth-password", password, "--from", USER, "--to", to,
                           "--quit-after", "RCPT"], capture_output=True, text=True, timeout=120)


def test_right_and_wrong_passwords():
    for _ in range(3):
        result = swaks(USER, PASSWORD)
        assert " 235 " in result.stdout and result.returncode == 0, result.stdout
    result = swaks(USER, "wrong")
    assert " 535 " in result.stdout, result.stdout
    result = swaks("nobody@example.test", PASSWORD)
    assert " 535 " in result.stdout, result.stdout


def test_recipients_are_looked_up():
    """The userdb says who exists."""
    assert "250" in swaks(USER, PASSWORD, USER).stdout.rsplit("RCPT TO", 1)[1]
    assert " 550 " in swaks(USER, PASSWORD, "nobody@example.test").stdout.rsplit("RCPT TO", 1)[1]


def test_authd_is_restarted_meanwhile():
    state["server"].restart()
    wait_for(lambda: os.path.exists(attack.AUTH_SOCKET), "the server is up")
    assert " 235 " in swaks(USER, PASSWORD).stdout


def test_what_was_sent():
    sent = [text for text in state["client"].sent() if text]
    assert sent and all(b"AUTH\t" in text and b"VERSION\t1\t" in text for text in sent), sent
    if path := os.environ.get("CHASQUID_RECORD"):
        with open(path, "w") as file:
            for tap in (state["client"], state["userdb"]):
                for text, reply in zip(tap.sent(), tap.received()):
                    file.write(f"C {text!r}\nS {reply!r}\n")


def stop():
    state["chasquid"].terminate()
    state["server"].stop()


CLEANUP = [stop]

if __name__ == "__main__":
    if not os.path.exists(PROGRAM):
        print(f"SKIP: no {PROGRAM} (package chasquid, or CHASQUID_FOLDER)")
        sys.exit(77)
    case.main(globals())
