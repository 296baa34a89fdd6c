#!/usr/bin/env python3
"""What goes wrong under authd: damaged password files, locked and missing databases, hung PAM modules, odd names,
clients that break the rules. Each time: a temporary failure or a refusal, a line in the log that says what and where,
the others go on being served, and it is over when its cause is, without a restart."""

import base64
import os
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import culver_alone
from harness.authclient import LineSocket
from harness.server import wait_for

USERS = "/etc/pair/users"
DATABASE = "/etc/pair/db/users.sqlite"
FILES = f"""auth_mechanisms = plain login cram-md5 scram-sha-256
auth_username_chars =
passdb {{
  driver = passwd-file
  args = {USERS}
}}
userdb {{
  driver = passwd-file
  args = {USERS}
}}
"""
SQL = """passdb {
  driver = sql
  args = /etc/pair/sql.conf.ext
}
userdb {
  driver = sql
  args = /etc/pair/sql.conf.ext
}
"""
state = {}


def start(config):
    if "authd" in state:
        state["authd"].stop()
    authd = state["authd"] = culver_alone(config)
    authd.new_log()
    authd.auth()  # auth is started by its first client
    state["pids"] = authd.auth_pids()
    assert len(state["pids"]) == 1, state["pids"]
    return authd


def login(user="bob", password="secret", mechanism=sasl.Plain):
    return state["authd"].auth().login(mechanism(user, password), initial=mechanism in (sasl.Plain, sasl.ScramSha256))


def logged(text):
    wait_for(lambda: text in state["authd"].log(), f"the log does not say {text!r}:\n" + state["authd"].log()[-2000:])


def nothing_was_restarted():
    assert state["authd"].auth_pids() == state["pids"], "authd is another process now"
    log = state["authd"].log()
    assert "Panic" not in log and "killed with signal" not in log, log[-2000:]


def test_malformed_lines_are_named_and_skipped():
    private.install_file(USERS, "good:{PLAIN}secret:5000:5000::/h::\nno-uid:{PLAIN}x:nosuch:5000::/h::\n"
                                ":{PLAIN}x:1:1::/h::\n"
                         "twice:{PLAIN}secret:5000:5000::/h::\ntwice:{PLAIN}x:5000:5000::/h::\n"
                         "zero:{PLAIN}x:0:0::/h::\n"
                         "nul\0:{PLAIN}x:5000:5000::/h::\nlong:{PLAIN}" + "x" * 70000 + ":5000:5000::/h::\n"
                         "pasted:$6$salt$hash`:5000:5000::/h::\ncolon:{PLAIN}se:cret\n"
                         "scheme:{NOSUCH}x:5000:5000::/h::\n"
                         "hex:{PLAIN.HEX}zz:5000:5000::/h::\n\n# comment\nlast:{PLAIN}secret:5000:5000::/h::")
    start(FILES)
    for user in ("good", "twice", "last"):
        assert login(user).kind == "OK", user
    for user in ("no-uid", "zero", "nul", "long", "pasted", "colon", "scheme", "hex", "# comment", ""):
        reply = login(user, "x")
        assert reply.kind == "FAIL" and not reply.get("code"), (user, str(reply))
    for line, text in ((2, "User no-uid: Invalid UID value 'nosuch'"), (3, "User name is empty"),
                       (5, "User twice exists more than once"), (6, "User zero: Invalid UID value '0'"),
                       (7, "NUL character"), (8, "longer than 64 kB"),
                       (9, "User pasted: the password hash has a character"),
                       (10, "User colon: Invalid UID value 'cret'")):
        state["authd"].wait_log(f"Error: passwd-file {USERS}:{line}: .*{text}")
    logged("Unknown scheme NOSUCH")
    nothing_was_restarted()


def test_a_password_file_of_nonsense():
    for content in (b"", b"\n\n\n", b"\0" * 5000, os.urandom(100000), b":" * 100000, b"\xff\xfe" * 1000 + b"\n",
                    b"x" * 1000000):
        private.install_file(USERS, content + b"\ngood:{PLAIN}secret:5000:5000::/h::\n")
        wait_for(lambda: login("good").kind == "OK", f"good in a file that begins with {content[:10]!r}")
        assert login("x").kind == "FAIL"
    nothing_was_restarted()


def test_a_password_file_that_is_gone_or_unreadable():
    good = "bob:{PLAIN}secret:5000:5000::/h::\n"
    private.install_file(USERS, good)
    wait_for(lambda: login().kind == "OK", "bob logs in")

    def vanish():
        os.rename(USERS, USERS + ".old")

    def unreadable():
        os.chmod(USERS, 0o000)
        os.utime(USERS, (1, 1))

    def directory():
        vanish()
        os.mkdir(USERS)
    for damage, word in ((vanish, "No such file"), (unreadable, "Permission denied"),
                         (directory, "not a regular file")):
        state["authd"].new_log()
        damage()
        for reply in (login(), login(mechanism=sasl.CramMd5), login("nobody")):
            assert reply.kind == "FAIL" and reply.get("code") == "temp_fail", (damage.__name__, str(reply))
        assert state["authd"].master().user("bob").kind == "FAIL", "a mail for bob would bounce"
        new = state["authd"].new_log()
        assert USERS in new and word.lower() in new.lower(), (damage.__name__, new)
        if os.path.isdir(USERS):
            os.rmdir(USERS)
        private.install_file(USERS, good)
        wait_for(lambda: login().kind == "OK", f"bob logs in again after {damage.__name__}")
        assert state["authd"].master().user("bob").kind == "USER"
    nothing_was_restarted()


def make_database():
    os.makedirs(os.path.dirname(DATABASE), exist_ok=True)
    os.chmod(os.path.dirname(DATABASE), 0o777)
    connection = sqlite3.connect(DATABASE)
    connection.execute("CREATE TABLE IF NOT EXISTS users (name TEXT, password TEXT)")
    connection.execute("DELETE FROM users")
    connection.execute("INSERT INTO users VALUES ('bob', '{PLAIN}secret')")
    connection.commit()
    connection.close()
    os.chmod(DATABASE, 0o666)


def test_a_locked_missing_or_damaged_sqlite_file():
    make_database()
    private.install_file("/etc/pair/sql.conf.ext", f"""driver = sqlite
connect = {DATABASE}
password_query = SELECT password FROM users WHERE name = '%u'
user_query = SELECT 5000 AS uid, 5000 AS gid, '/h' AS home FROM users WHERE name = '%u'
""")
    authd = start("auth_username_chars =\nauth_mechanisms = plain cram-md5\n" + SQL)
    assert login().kind == "OK" and authd.master().user("bob").kind == "USER"

    def recovers(what):
        wait_for(lambda: login().kind == "OK" and authd.master().user("bob").kind == "USER",
                 f"bob logs in after {what}")

    holder = sqlite3.connect(DATABASE)
    holder.execute("BEGIN EXCLUSIVE")
    time.sleep(1.1)  # an answer may be remembered for a second
    reply = login()
    assert reply.get("code") == "temp_fail", str(reply)
    assert authd.master().user("bob").kind == "FAIL"
    logged("locked")
    holder.rollback()
    holder.close()
    recovers("the lock")

    for damage in ("missing", "no database", "no table", "a directory"):
        os.rename(DATABASE, DATABASE + ".old")
        if damage == "no database":
            private.install_file(DATABASE, "this is no database file at all\n" * 100)
        elif damage == "no table":
            sqlite3.connect(DATABASE).execute("CREATE TABLE other (x)").connection.commit()
        elif damage == "a directory":
            os.mkdir(DATABASE)
        time.sleep(1.1)
        for reply in (login(), login("nobody"), login(mechanism=sasl.CramMd5)):
            assert reply.kind == "FAIL" and reply.get("code") == "temp_fail", (damage, str(reply))
        assert authd.master().user("bob").kind == "FAIL", damage
        assert "sql" in authd.new_log(), damage
        if os.path.isdir(DATABASE):
            os.rmdir(DATABASE)
        else:
            subprocess.run(["rm", "-f", DATABASE], check=True)
        os.rename(DATABASE + ".old", DATABASE)
        recovers(damage)
    nothing_was_restarted()


def test_names_that_are_sql_harm_nothing():
    for name in ("' OR '1'='1", "bob' --", "'; DROP TABLE users; --", "x' UNION SELECT 'x", '"', "\\'", "%", "%u",
                 "%{user}", "?1",
                 "bob\0' OR 1", "bob\t", "bob\n", "\r\nbob", "b\xffb", "\u202ebob", "a" * 255, "a" * 5000):
        for password in ("x", "secret", "' OR '1'='1"):
            reply = login(name, password) if "\0" not in name else state["authd"].auth().login(
                sasl.Script("PLAIN", b"\0" + name.encode() + b"\0" + password.encode()))
            assert reply.kind == "FAIL", (name, str(reply))
        state["authd"].master().user(name[:200])
    assert login().kind == "OK", "the table is gone"
    nothing_was_restarted()


def test_a_pam_module_that_hangs_holds_up_nobody_else():
    """The hung login waits, others are answered; when the module is mended, so are logins."""
    private.add_user("sysone", uid=6001, password="secret")
    private.install_file(USERS, "bob:{PLAIN}secret:5000:5000::/h::\n")
    stack = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
    hang = "/etc/pair/hang"
    private.install_file(hang, "#!/bin/sh\nsleep 300\n", 0o755)
    private.install_file("/etc/pam.d/dovecot", f"auth required pam_exec.so quiet {hang}\n" + stack)
    authd = start("auth_mechanisms = plain\n"
                  + FILES.split("\n", 1)[1].replace("userdb", "passdb {\n  driver = pam\n}\nuserdb", 1))
    hung = [authd.new_auth() for _ in range(2)]
    ids = [client.start(sasl.Plain("sysone", "secret")) for client in hung]
    begun = time.monotonic()
    for _ in range(20):
        assert login().kind == "OK"
    late = time.monotonic() - begun > 50  # who hangs is ended after a minute
    assert late or not any(client.quiet_line(0.05) for client in hung), "a login was answered while PAM hangs"
    private.install_file("/etc/pam.d/dovecot", stack)
    assert authd.new_auth(timeout=200).login(sasl.Plain("sysone", "secret")).kind == "OK", authd.log()[-2000:]
    for client, id in zip(hung, ids):
        client.close()
    assert login().kind == "OK"
    nothing_was_restarted()


def test_a_pam_service_that_is_broken_is_a_temporary_failure():
    private.install_file("/etc/pam.d/dovecot",
                         "auth required pam_nosuchmodule.so\naccount required pam_nosuchmodule.so\n")
    reply = login("sysone")
    assert reply.kind == "FAIL" and login().kind == "OK", str(reply)
    private.install_file("/etc/pam.d/dovecot", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n")
    assert login("sysone").kind == "OK"
    nothing_was_restarted()


def test_clients_that_break_the_rules_are_cut_off_and_named():
    private.install_file(USERS, "bob:{PLAIN}secret:5000:5000::/h::\n")
    authd = start(FILES)
    right = base64.b64encode(b"\0bob\0secret").decode()
    begin = f"AUTH\t1\tPLAIN\tservice=imap\tresp={right}\n"
    for what, text, word in (("a line over 16 kB", "AUTH\t1\tPLAIN\tservice=imap\tx=" + "y" * 20000
                              + f"\tresp={right}\n",
                              "more than 16384 bytes"), ("an unknown command", "EVIL\t1\n", "unknown command"),
                             ("an id twice", "AUTH\t5\tPLAIN\tservice=imap\n" * 2, "duplicate ID"),
                             ("resp not last", f"AUTH\t1\tPLAIN\tservice=imap\tresp={right}\tx=y\n",
                              "resp= isn't the last"),
                             ("no service", f"AUTH\t1\tPLAIN\tresp={right}\n", "no service")):
        bystander, offender = authd.new_auth(), authd.new_auth()
        waiting = bystander.begin("PLAIN")
        bystander.reply(waiting)
        authd.new_log()
        offender.send(text)
        line = offender.line()
        while line and line.startswith(("CONT", "FAIL")):
            line = offender.line()
        assert line is None, f"{what}: {line!r}"
        logged(word)
        bystander.answer(waiting, b"\0bob\0secret")
        assert bystander.reply(waiting).kind == "OK", what
    nothing_was_restarted()


def test_another_clients_request_or_cookie():
    authd = state["authd"]
    owner, thief = authd.new_auth("auth-login"), authd.new_auth("auth-login")
    id = owner.start(sasl.Plain("bob", "secret"))
    assert owner.reply(id).kind == "OK"
    master = authd.new_master()
    assert master.request(owner, id, cookie=thief.cookie).kind == "FAIL", "the cookie of another connection"
    assert master.request(thief, id).kind == "FAIL", "the id of another connection"
    guess = LineSocket(authd.path("auth-client"))
    guess.send(f"VERSION\t1\t2\nCPID\t7\nREQUEST\t1\t{owner.pid}\t{id}\t{owner.cookie}\n")
    while line := guess.line():
        assert not line.startswith("USER"), line
    assert line is None, "a client that asks for a login as if it were a master is served on"
    assert master.request(owner, id, f"session_pid={os.getpid()}").kind == "USER"
    assert master.request(owner, id).kind == "FAIL", "the login is given out twice"
    nothing_was_restarted()


CLEANUP = [lambda: state["authd"].stop()]

if __name__ == "__main__":
    case.main(globals())
