#!/usr/bin/env python3
"""The log in the words that log readers know: syslog, files, fail2ban with Debian's own filter."""

import os
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, simple
from harness.mail import Connection, lmtp_deliver, make_message
from harness.server import IS_CULVER, wait_for
from harness.simple import PASSWORD, USER

state = {"syslog": []}


def collect_syslog():
    sink = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sink.bind("/dev/log")
    os.chmod("/dev/log", 0o666)

    def run():
        while True:
            state["syslog"].append(sink.recv(65536).decode(errors="replace"))
    threading.Thread(target=run, daemon=True).start()


def syslog_line(pattern):
    return wait_for(lambda: next((line for line in state["syslog"] if re.search(pattern, line)), None),
                    f"no syslog line matches {pattern!r}: {state['syslog'][-8:]}")


def test_syslog_is_the_default_and_its_lines_have_the_mail_facility():
    collect_syslog()
    state["server"] = simple.start("log_path = syslog\n")
    client = Connection(143, source="127.0.0.71")
    client.line()
    assert " OK " in client.command(f"a LOGIN {USER} {PASSWORD}")[-1]
    line = syslog_line(rf"imap-login: Login: user=<{USER}>, method=PLAIN, rip=127\.0\.0\.71")
    assert re.match(r"<2[0-3]>.*dovecot: imap-login: Login: ", line), line
    client.command("z LOGOUT")
    syslog_line(rf"dovecot: imap\({USER}\)<\d+><\S+>: Disconnected: Logged out in=")
    lmtp_deliver(simple.LMTP_SOCKET, [USER], make_message("one line"))
    syslog_line(rf"dovecot: lmtp\({USER}\)<\d+><\S+>: msgid=<one-line@extdomain.test>: saved mail to INBOX")


def test_fail2ban_finds_each_failed_login_at_once():
    client = Connection(143, source="127.0.0.72")
    client.line()
    client.command(f"a LOGIN {USER} wrong1")
    if not IS_CULVER:
        client.close()  # Dovecot says it only when the connection ends
    line = syslog_line(r"auth failed.*rip=127\.0\.0\.72")
    with open("/run/auth.log", "w") as file:
        file.write(time.strftime("%b %d %H:%M:%S ") + "mailhost " + line[line.index("dovecot:"):] + "\n")
    result = subprocess.run(["fail2ban-regex", "--print-all-matched", "/run/auth.log",
                             "/etc/fail2ban/filter.d/dovecot.conf"],
                            capture_output=True, text=True)
    assert re.search(r"Lines: 1 lines, 0 ignored, 1 matched", result.stdout), result.stdout
    client.close()
    time.sleep(0.5)
    matching = [entry for entry in state["syslog"] if "rip=127.0.0.72" in entry and "auth failed" in entry]
    assert len(matching) == 1, f"one failure is counted {len(matching)} times: {matching}"


def test_files_get_levels_timestamps_and_info_apart():
    server = state["server"]
    server.stop()
    with open(server.path) as file:
        text = file.read().replace("log_path = syslog", "log_path = /var/log/d.err\ninfo_log_path = /var/log/d.info\n"
                                   'log_timestamp = "%Y-%m-%d %H:%M:%S "\nauth_verbose = yes')
    server.write_config(text)
    server.start()
    client = Connection(143, source="127.0.0.73")
    client.line()
    client.command(f"a LOGIN {USER} wrong")
    client.command(f"b LOGIN {USER} {PASSWORD}")
    def info():
        return open("/var/log/d.info").read() if os.path.exists("/var/log/d.info") else ""
    wait_for(lambda: re.search(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d imap-login: Info: Login: user=<{USER}>", info(),
                               re.M),
             "the login stands in the info log")
    mismatch = rf"auth: Info: passwd-file\({USER},127\.0\.0\.73,?.*\): [Pp]assword mismatch"
    wait_for(lambda: re.search(mismatch, info()), "the mismatch stands in the info log")
    errors = open("/var/log/d.err").read() if os.path.exists("/var/log/d.err") else ""
    assert "Login: user" not in errors
    client.close()


CLEANUP = [lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
