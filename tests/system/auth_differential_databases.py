#!/usr/bin/env python3
"""System users through shadow, passwd and PAM; SQLite. The same logins and lookups go to Debian's Dovecot and to
Culver, and the replies must be equal field by field. What is meant to differ: tests/harness/authrules.py."""

import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authrules import ALL, all_met, database, probe, start, state, stop

SYSTEM = ["sysone", "systwo", "locked", "expired", "nopass", "empty", "noshell", "oldpw", "root", "nobody", "nosuch",
          "SYSONE"]


def test_system_users():
    for number, name in enumerate(SYSTEM[:8]):
        private.add_user(name, uid=6001 + number, password=None if name in ("nopass", "empty") else
                         "pässwörd" if name == "systwo" else "secret",
                         shell="/usr/sbin/nologin" if name == "noshell" else "/bin/bash")
    for command in ("usermod -L locked", "chage -E 1 expired", "chage -d 0 oldpw", "passwd -d empty"):
        subprocess.run(command.split(), check=True, capture_output=True)
    passwords = ("secret", "wrong", "pässwörd", "")
    for passdb in ("shadow", "passwd"):
        pair = start(ALL + database("passdb", passdb) + database("userdb", "passwd"), (
            "fields-of-the-refused", "empty-password", "modifiers-after-quoting", "message-of-pam"))
        with pair.together():
            probe(SYSTEM, passwords)
    for args in ("home=/mail/%u foo=bar", "uid=vmail gid=6000", "blocking=no"):
        pair = start(ALL + database("passdb", "shadow") + database("userdb", "passwd", args))
        with pair.together():
            probe(["sysone", "root", "nosuch"], passwords[:2])


def test_pam():
    for name, modules in {"dovecot": "pam_unix.so nodelay nullok", "imap": "pam_deny.so",
                          "smtp": "pam_permit.so"}.items():
        private.install_file(f"/etc/pam.d/{name}", f"auth required {modules}\naccount required "
                             + ("pam_permit.so\n" if name == "smtp" else "pam_unix.so\n"))
    for args in ("", "*", "%s", "session=yes setcred=yes dovecot", "failure_show_msg=yes dovecot",
                 "max_requests=2 dovecot",
                 "nosuchservice"):
        pair = start("auth_mechanisms = plain login\n" + database("passdb", "pam", args) + database("userdb", "passwd"))
        with pair.together():
            # Each of its refusals takes Dovecot's PAM workers a while.
            whole = args in ("", "failure_show_msg=yes dovecot")
            probe(SYSTEM if whole else ["sysone", "locked", "nosuch"], ("secret", "wrong", "pässwörd", "") if whole else
                  ("secret", "wrong"), (sasl.Plain,))
            pair.logins([sasl.Plain(user, "x") for user in ("sysone", "nosuch")], "service=smtp\tno-penalty")


DATABASE = "/etc/pair/db/users.sqlite"
ROWS = [("bob", "{PLAIN}secret", 5000, 5000, "/h/bob", "*:storage=1G", "foo", 1),
        ("md5", "5ebe2294ecd0e0f08eab7690d2a6ee69", 5000, 5000, "/h/md5", None, None, 1),
        ("plain", "secret", 5000, 5000, "/h/plain", "", "", 1), ("null", None, 5000, 5000, "/h/null", None, None, 1),
        ("dup", "{PLAIN}secret", 5000, 5000, "/h/1", None, None, 1),
        ("dup", "{PLAIN}other", 5000, 5000, "/h/2", None, None, 1),
        ("nouid", "{PLAIN}secret", None, None, None, None, None, 1),
        ("uidname", "{PLAIN}secret", "vmail", "vmail", "/h", None, None, 1),
        ("uidbad", "{PLAIN}secret", "nosuch", 5000, "/h", None, None, 1),
        ("uid0", "{PLAIN}secret", 0, 0, "/h", None, None, 1),
        ("real", "{PLAIN}secret", 5000.5, 5000, "/h", None, None, 1),
        ("o'brien", "{PLAIN}secret", 5000, 5000, "/h", None, None, 1),
        ("per%cent", "{PLAIN}secret", 5000, 5000, "/h/%u%%", None, "%u %%", 1),
        ("tab", "{PLAIN}secret", 5000, 5000, "/h", "a\tb\nc", "x\ty", 1),
        ("ünï", "{PLAIN}pässwörd", 5000, 5000, "/h", "ö", None, 1),
        ("inactive", "{PLAIN}secret", 5000, 5000, "/h", None, None, 0),
        ("blob", b"{PLAIN}secret", 5000, 5000, b"/h", None, None, 1)]
QUERIES = [
    dict(password_query="SELECT name AS username, domain, password FROM users WHERE name = '%n' AND domain = '%d' AND "
                        "active = 1",
         user_query="SELECT home, uid, gid, 'maildir:~/' || quota AS mail, quota AS quota_rule FROM users "
                    "WHERE name = '%n' AND domain = '%d'",
         iterate_query="SELECT name AS username, domain FROM users"),
    dict(password_query="SELECT name || '@' || domain AS user, password, quota AS userdb_quota_rule, extra AS extra, "
                        "uid AS userdb_uid, 'yes' AS nologin, '' AS emptyfield, NULL AS nullfield, quota AS q FROM "
                        "users "
                        "WHERE name = '%n' AND domain = '%d'",
         user_query="SELECT name AS user, home, uid, gid, extra, NULL AS nullf, '' AS emptyf FROM users "
                    "WHERE name || '@' || domain = '%u'",
         iterate_query="SELECT name || '@' || domain AS user FROM users", default_pass_scheme="PLAIN"),
    dict(password_query="SELECT password FROM users WHERE name = '%n'",
         user_query="SELECT 'changed' AS user, 5000 AS uid, 5000 AS gid, '/x/%u' AS home FROM users WHERE name='%n'",
         iterate_query="SELECT name FROM users", default_pass_scheme="PLAIN-MD5"),
    dict(password_query="SELECT NULL AS password, 'Y' AS nopassword FROM users WHERE name = '%n'",
         user_query="SELECT 1 AS a FROM users WHERE name = '%n'",
         iterate_query="SELECT name AS username, NULL AS domain FROM users"),
    dict(password_query="SELECT name, password AS password, password AS Password FROM users WHERE name = '%n' LIMIT 1",
         user_query="SELECT home AS Home, uid AS UID, gid AS GID FROM users WHERE name = '%Ln'",
         iterate_query="SELECT name AS USER FROM users LIMIT 3", default_pass_scheme="NOSUCH"),
    dict(password_query="SELECT password FROM nosuch WHERE name = '%n'", user_query="SELECT home FROM nosuchtable",
         iterate_query="SELECT x FROM nosuch", default_pass_scheme="PLAIN"),
    dict(password_query="SELECT 'x%w' AS password, '%s' AS svc, '%r' AS rip, '%m' AS mech, '%%' AS pct, '%{session}' "
                        "AS sess "
                        "FROM users WHERE name = '%n' AND name LIKE '%%%1n%%'", default_pass_scheme="PLAIN",
         user_query="SELECT '/h/%2Hu/%5.5n' AS home, '%Mu' AS m, '%Dd' AS dd FROM users WHERE name='%n'",
         iterate_query="SELECT name AS user FROM users WHERE name = '%u'"),
]


def test_sql():
    """Extra columns, NULLs, several rows, aliases, userdb_ columns, names that are SQL."""
    os.makedirs(os.path.dirname(DATABASE), exist_ok=True)
    os.chmod(os.path.dirname(DATABASE), 0o777)
    connection = sqlite3.connect(DATABASE)
    connection.execute("CREATE TABLE users (name, domain, password, uid, gid, home, quota, extra, active)")
    connection.executemany("INSERT INTO users VALUES (?,'ex.test',?,?,?,?,?,?,?)", ROWS)
    connection.commit()
    connection.close()
    os.chmod(DATABASE, 0o666)
    users = list(dict.fromkeys(name + "@ex.test" for name, *_ in ROWS))
    users += ["nobody@ex.test", "bob@x", "bob", "BOB@EX.TEST", "x' OR '1'='1", "%@ex.test", "_ob@ex.test"]
    for queries in QUERIES:
        private.install_file("/etc/pair/sql.conf.ext", f"driver = sqlite\nconnect = {DATABASE}\n"
                             + "".join(f"{key} = {value}\n" for key, value in queries.items()))
        pair = start(ALL + "auth_username_chars =\n" + database("passdb", "sql", "/etc/pair/sql.conf.ext")
                     + database("userdb", "sql", "/etc/pair/sql.conf.ext"))
        with pair.together():
            probe(users, ("secret", "other", "pässwörd", ""))


def test_an_empty_password_in_a_database():
    private.install_file("/etc/pair/sql.conf.ext",
                         f"driver = sqlite\nconnect = {DATABASE}\ndefault_pass_scheme = PLAIN\n"
                         "password_query = SELECT '' AS password\n")
    pair = start(ALL + database("passdb", "sql", "/etc/pair/sql.conf.ext"))
    pair.login(sasl.Plain("bob", ""), accept="empty-password")
    pair.login(sasl.Plain("bob", "secret"))


def test_every_accepted_difference_is_there():
    all_met()


CLEANUP = [stop]

if __name__ == "__main__":
    case.main(globals())
