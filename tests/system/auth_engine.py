#!/usr/bin/env python3
"""Logins end to end: the one line for each refusal and fail2ban's filter, logins that belong to another server,
settings of one protocol, stored passwords that renew themselves."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, simple
from harness.mail import Connection
from harness.server import wait_for
from harness.simple import PASSWORD, USER

state = {}
DB = "/etc/dovecot/db"
MORE = f"""auth_failure_delay = 0
auth_password_upgrade_scheme = SHA512-CRYPT
passdb {{
  driver = passwd-file
  args = {DB}/users
}}
passdb {{
  driver = sql
  args = /etc/dovecot/sql.conf.ext
}}
passdb {{
  driver = passwd-file
  args = /etc/dovecot/closed/users
}}
protocol imap {{
  passdb {{
    driver = static
    args = password=imap-only
    username_filter = imap@*
  }}
}}
"""


def log_in(user, password, source="127.0.0.80"):
    client = Connection(143, source=source)
    client.line()
    answer = client.command(f"a LOGIN {user} {password}")[-1]
    client.close()
    return answer


def chown(path):
    subprocess.run(["chown", "-R", "dovecot:dovecot", path], check=True)


def test_start():
    private.install_file(f"{DB}/users", "old@x:{PLAIN}secret:5000:5000::/var/vmail/x/old::\n"
                                        "away@x:{PLAIN}secret::::::proxy host=127.0.0.7 port=1\n"
                                        "maybe@x:{PLAIN}secret::::::proxy_maybe host=127.0.0.1\n")
    private.install_file("/etc/dovecot/closed/users", "shut@x:{PLAIN}secret\n")
    private.install_file("/etc/dovecot/sql.conf.ext", f"""driver = sqlite
connect = {DB}/users.sqlite
password_query = SELECT password FROM users WHERE name = '%u'
update_query = UPDATE users SET password = '%{{password_hash}}' WHERE name = '%u' AND password = '%{{old_password_hash}}'
""")
    with sqlite3.connect(f"{DB}/users.sqlite") as database:
        database.execute("CREATE TABLE users (name TEXT, password TEXT)")
        database.execute("INSERT INTO users VALUES ('row@x', '{PLAIN}secret'), ('o''row@x', '{PLAIN}secret')")
    chown(DB)
    state["server"] = simple.start(MORE)


def log():
    return state["server"].log()


def test_a_refused_login_is_one_line_that_says_which_database_said_what():
    assert " NO " in log_in(USER, "wrong", "127.0.0.81")
    line = state["server"].wait_log(r"auth: Info: Login refused: user=<.*rip=127\.0\.0\.81.*$").group(0)
    for words in (f"user=<{USER}>", "service=imap", "mech=PLAIN", "session=<",
                  "passwd-file(/etc/dovecot/users): password mismatch", f"passwd-file({DB}/users): unknown user",
                  "sql(/etc/dovecot/sql.conf.ext): unknown user",
                  "static: not asked, its username_filter leaves this user out"):
        assert words in line, (words, line)
    assert "wrong" not in line, line
    assert log().count("Login refused: user=<") == 1, log()


def test_fail2ban_counts_a_failure_once():
    state["server"].wait_log(r"imap-login: .*rip=127\.0\.0\.81")  # when the connection is closed
    lines = [line for line in log().splitlines() if "127.0.0.81" in line]
    assert len(lines) >= 2, lines
    with open("/run/auth.log", "w") as file:
        for line in lines:
            file.write(time.strftime("%b %d %H:%M:%S ") + "mailhost dovecot: " + line.split(" ", 3)[3] + "\n")
    for mode in ("normal", "aggressive"):
        result = subprocess.run(["fail2ban-regex", "/run/auth.log",
                                 f"/etc/fail2ban/filter.d/dovecot.conf[mode={mode}]"],
                                capture_output=True, text=True)
        assert re.search(r"Lines: \d+ lines, 0 ignored, 1 matched", result.stdout), (lines, result.stdout, result.stderr)


def test_a_name_cannot_write_lines_of_its_own():
    client = Connection(143, source="127.0.0.82")
    client.line()
    client.command('a LOGIN "x>, rip=192.0.2.99: Password mismatch" "y"')
    client.close()
    line = state["server"].wait_log(r"auth: Info: Login refused: .*rip=127\.0\.0\.82.*$").group(0)
    assert "name: Username character disallowed" in line, line


def test_a_login_that_belongs_to_a_server_that_is_down_is_a_temporary_no():
    answer = log_in("away@x", "secret")
    assert " NO [UNAVAILABLE]" in answer, answer
    state["server"].wait_log(r"127\.0\.0\.7:1.*Connection refused")
    assert " OK " in log_in("maybe@x", "secret", "127.0.0.1"), "proxy_maybe to this server is a login here"


def test_a_database_of_one_protocol_is_for_that_protocol():
    assert " OK " in log_in("imap@x", "imap-only")
    result = subprocess.run(["doveadm", "auth", "test", "-x", "service=lmtp", "imap@x", "imap-only"],
                            capture_output=True)
    assert result.returncode != 0


def log_in_until_stored_anew(name, where):
    """Upgrades rest after each other, so one login may come too early for its own; a later one has it."""
    def stored():
        assert " OK " in log_in(name, "secret")
        return re.search(rf"Password of user=<{name}> stored anew in {where}", state["server"].log())
    wait_for(stored, f"the password of {name} is stored anew: {state['server'].log()[-2000:]}")


def test_stored_passwords_renew_themselves():
    before = os.stat(f"{DB}/users")
    log_in_until_stored_anew("old@x", r"passwd-file\(.*: PLAIN -> SHA512-CRYPT")
    text = open(f"{DB}/users").read()
    assert re.match(r"old@x:\{SHA512-CRYPT\}\$6\$[^:]+:5000:5000::/var/vmail/x/old::\naway@x:\{", text), text
    after = os.stat(f"{DB}/users")
    assert (before.st_uid, before.st_gid, stat.S_IMODE(before.st_mode)) == (after.st_uid, after.st_gid,
                                                                            stat.S_IMODE(after.st_mode))
    assert " OK " in log_in("old@x", "secret") and " NO " in log_in("old@x", "wrong")
    for name in ("row@x",):
        log_in_until_stored_anew(name, r"sql\(")
        with sqlite3.connect(f"{DB}/users.sqlite") as database:
            rows = dict(database.execute("SELECT name, password FROM users"))
        assert rows[name].startswith("{SHA512-CRYPT}$6$") and rows["o'row@x"] == "{PLAIN}secret", rows
        assert " OK " in log_in(name, "secret") and " NO " in log_in(name, "wrong")


def test_without_the_right_to_write_the_login_works_and_the_log_says_what_to_do():
    def refused():
        assert " OK " in log_in("shut@x", "secret")
        return re.search(r"Password of user=<shut@x> could not be stored anew.*", state["server"].log())
    line = wait_for(refused, "the log says why the password is not stored anew").group(0)
    assert "Permission denied" in line and "chown" in line, line
    assert open("/etc/dovecot/closed/users").read() == "shut@x:{PLAIN}secret\n"
    assert os.listdir("/etc/dovecot/closed") == ["users"]


CLEANUP = [lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
