#!/usr/bin/env python3
"""App passwords: doveadm makes them, authd takes them beside every passdb, a revoked one is worth nothing at once."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl, simple
from harness.authclient import AuthClient
from harness.mail import Connection
from harness.server import wait_for

FILE = "/var/lib/dovecot/app/passwords.sqlite"
USER, OTHER, MAIN = "bob@example.test", "carol@example.test", "secret"
FILE_PASSDB = """passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/dovecot/users
}"""
BASE = f"auth_app_passwords = {FILE}\nauth_failure_delay = 0\nauth_mechanisms = plain login cram-md5 scram-sha-256\n"
state = {}


def doveadm(*args, check=0):
    result = subprocess.run(["doveadm", *args], capture_output=True, text=True, timeout=120)
    assert check is None or result.returncode == check, (args, result.returncode, result.stdout, result.stderr)
    return result


def add(user=USER, *options):
    return doveadm("auth", "app-password", "add", *options, user).stdout.strip()


def listed(*args):
    return json.loads(doveadm("-f", "json", "auth", "app-password", "list", *args).stdout)


def network():
    """Another one each time: no failure holds up the next login."""
    state["network"] = state.get("network", 0) + 1
    return f"127.{100 + state['network'] // 200}.{state['network'] % 200}.7"


def imap(password, user=USER, source=None):
    """The tagged answer to a LOGIN."""
    client = Connection(143, source=source or network())
    client.line()
    answer = client.command(f'a LOGIN {user} "{password}"')[-1]
    client.close()
    return answer


def auth_test(password, user=USER, *options):
    return doveadm("auth", "test", "-x", f"rip={network()}", *options, user, password, check=None)


def reconfigure(more="", passdb=FILE_PASSDB):
    state["server"].restart(simple.CONFIG.replace(FILE_PASSDB, passdb) + BASE + more)
    wait_for(lambda: os.path.exists("/run/dovecot/auth-client"), "the server is up")


def test_start():
    state["server"] = simple.start(BASE, users=(USER, OTHER))


def test_one_is_made_shown_once_and_logs_in():
    result = doveadm("auth", "app-password", "add", "-n", "phone", "-s", "imap,submission", USER)
    state["phone"] = result.stdout.strip()
    assert len(state["phone"]) == 23 and result.stdout.count("\n") == 1, result.stdout
    assert '"phone" (id 1) of bob@example.test' in result.stderr
    assert imap(state["phone"]).startswith("a OK"), imap(state["phone"])
    assert imap(state["phone"].upper().replace("-", " ")).startswith("a OK")
    assert imap(MAIN).startswith("a OK"), "the main password as before"
    assert imap(state["phone"], OTHER).startswith("a NO [AUTHENTICATIONFAILED]")
    state["server"].wait_log(r'app-password\(bob@example.test,127[.0-9]+,<\S+>\): "phone" \(id 1\) used for service '
                             r'imap')
    log = state["server"].log()
    assert state["phone"] not in log and state["phone"].replace("-", "") not in log


def test_the_files_belong_to_root_and_the_group_of_authd():
    for path, mode in ((FILE, 0o640), (FILE + "-last-use", 0o660)):
        status = os.stat(path)
        assert (status.st_uid, status.st_mode & 0o777) == (0, mode), (path, status)
        assert status.st_gid != 0
    with open(FILE, "rb") as file:
        content = file.read()
    assert state["phone"].encode() not in content and state["phone"].replace("-", "").encode() not in content


def test_the_last_use_is_listed():
    row, = listed(USER)
    assert row["name"] == "phone" and row["services"] == "imap smtp" and row["expires"] == "never", row
    assert row["last_service"] == "imap" and row["last_address"].startswith("127."), row
    assert listed("nobody@example.test") == []
    table = doveadm("auth", "app-password", "list").stdout
    assert table.splitlines()[0].split() == ["user", "id", "name", "services", "networks", "created", "expires", "last",
                                             "use", "with", "from"], table


def test_it_is_good_for_its_services_and_networks_only():
    assert auth_test(state["phone"], USER, "-x", "service=smtp").returncode == 0
    assert auth_test(state["phone"], USER, "-x", "service=pop3").returncode == 77
    state["server"].wait_log(r'"phone" \(id 1\) is not good for service pop3, only for imap smtp')
    netted = add(USER, "-n", "office", "-t", "127.7.0.0/16")
    assert imap(netted, source="127.7.1.1").startswith("a OK")
    assert imap(netted, source="127.8.1.1").startswith("a NO [AUTHENTICATIONFAILED]")


def test_an_expired_one_is_worth_nothing():
    short = add(USER, "-n", "short", "-e", "1h")
    assert imap(short).startswith("a OK")
    subprocess.run(["sqlite3", FILE, "UPDATE app_passwords SET expires = strftime('%s','now') - 1 WHERE name = "
                                     "'short'"],
                   check=True)
    assert imap(short).startswith("a NO [AUTHENTICATIONFAILED]")
    state["server"].wait_log(r'"short" \(id 3\) has expired')


def test_a_revoked_one_fails_at_the_very_next_login():
    assert imap(state["phone"]).startswith("a OK")
    doveadm("auth", "app-password", "revoke", USER, "phone")
    assert imap(state["phone"]).startswith("a NO [AUTHENTICATIONFAILED]")
    assert [row["name"] for row in listed(USER)] == ["office", "short"]
    doveadm("auth", "app-password", "revoke", USER, "2")
    doveadm("auth", "app-password", "revoke", USER, "--all")
    assert listed() == []
    doveadm("auth", "app-password", "revoke", USER, "phone", check=68)


def test_exit_codes_of_mistakes():
    for args, code in ((("add",), 64), (("add", "-n", "17", USER), 64), (("add", "-e", "soon", USER), 64),
                       (("add", "-t", "example.test", USER), 64), (("add", "a b@example.test"), 64),
                       (("add", "-x", USER), 64), (("add", "nobody@example.test"), 67), (("revoke", USER), 64),
                       (("list", "a", "b"), 64)):
        assert doveadm("auth", "app-password", *args, check=None).returncode == code, args
    add(USER, "-n", "twice")
    assert doveadm("auth", "app-password", "add", "-n", "twice", USER, check=None).returncode == 65
    assert doveadm("-o", "auth_app_passwords=", "auth", "app-password", "list", check=None).returncode == 89
    add("BOB@Example.Test", "-n", "capitals")
    assert [row["user"] for row in listed("Bob@EXAMPLE.test")] == [USER, USER]
    doveadm("auth", "app-password", "revoke", USER, "--all")


def test_an_unreadable_or_broken_file_is_a_temporary_failure_for_app_passwords_alone():
    password = add(USER)
    assert imap(password).startswith("a OK")
    os.rename(FILE, FILE + ".away")
    assert imap(password).startswith("a NO [UNAVAILABLE]"), imap(password)
    assert imap(MAIN).startswith("a OK")
    private.install_file(FILE, "no database, but long enough to be read as one of them")
    assert imap(password).startswith("a NO [UNAVAILABLE]")
    state["server"].wait_log(r"app passwords: .*file is not a database")
    os.chmod(FILE, 0)
    assert imap(password).startswith("a NO [UNAVAILABLE]")
    assert imap(MAIN).startswith("a OK")
    os.rename(FILE + ".away", FILE)
    assert imap(password).startswith("a OK"), "without a restart"


def test_a_locked_file_is_a_temporary_failure_and_holds_nobody_else_up():
    password = add(USER)
    holder = subprocess.Popen(["sqlite3", FILE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdin.write("BEGIN EXCLUSIVE;\nSELECT 'locked';\n")
    holder.stdin.flush()
    assert holder.stdout.readline().strip() == "locked"
    client = AuthClient("/run/dovecot/auth-client")
    for _ in range(5):  # a machine that stands still for seconds spoils the order
        waiting = client.start(sasl.Plain(USER, password))
        assert client.login(sasl.Plain(OTHER, MAIN)).kind == "OK"
        first = not client.has_heard_of(waiting)
        assert client.reply(waiting).get("code") == "temp_fail"
        if first:
            break
    else:
        raise AssertionError("an ordinary login waits for the locked file")
    client.close()
    assert auth_test(password).returncode == 75
    holder.stdin.write("ROLLBACK;\n.quit\n")
    holder.stdin.close()
    holder.wait()
    assert imap(password).startswith("a OK")


def test_where_one_is_needed_the_main_password_gets_words_and_guessers_none():
    reconfigure("auth_app_password_required = imap pop3\n")
    password = add(USER)
    assert imap(password).startswith("a OK")
    refused = imap(MAIN)
    assert refused.startswith("a NO ") and "app password is needed" in refused, refused
    state["server"].wait_log(r"app-password\(bob@.*the main password is right, but an app password is needed for "
                             r"service")
    for answer in (imap("wrong"), imap(MAIN, "nobody@example.test")):
        assert "app password" not in answer, answer
    assert auth_test(MAIN, USER, "-x", "service=smtp").returncode == 0
    result = auth_test(MAIN, USER, "-x", "service=imap")
    assert result.returncode == 77 and "reason=An app password is needed" in result.stdout, result.stdout


def test_a_proof_of_the_main_password_does_not_go_round_the_rule():
    client = AuthClient("/run/dovecot/auth-client")
    for mechanism in (sasl.CramMd5, sasl.ScramSha256):
        reply = client.login(mechanism(USER, MAIN))
        assert reply.kind == "FAIL" and "app password is needed" in reply.get("reason"), reply
        assert client.login(mechanism(USER, MAIN), "service=smtp\tno-penalty").kind == "OK"
    assert client.login(sasl.Login(USER, add(USER))).kind == "OK"


def test_it_works_beside_pam_where_the_userdb_knows_the_user():
    private.add_user("dora", uid=6001, password="unixpass")
    private.install_file("/etc/pam.d/dovecot", "auth required pam_unix.so\naccount required pam_unix.so\n")
    reconfigure(passdb="passdb {\n  driver = pam\n}\nuserdb {\n  driver = passwd\n}")
    password = add("dora")
    assert auth_test(password, "dora").returncode == 0
    assert auth_test("unixpass", "dora").returncode == 0
    assert auth_test("wrong", "dora").returncode == 77
    subprocess.run(["userdel", "dora"], check=True, capture_output=True)
    assert auth_test(password, "dora").returncode == 77


def test_it_works_beside_sql_and_the_databases_still_decide():
    os.makedirs("/etc/dovecot/db", exist_ok=True)
    subprocess.run(["sqlite3", "/etc/dovecot/db/users.sqlite",
                    "CREATE TABLE users (u TEXT, p TEXT, nets TEXT); INSERT INTO users VALUES ('eve@example.test', "
                    "'{PLAIN}secret', NULL), ('nets@example.test', '{PLAIN}secret', '10.0.0.0/8'), "
                    "('lost@example.test', '{CRYPT}!x', NULL);"], check=True)
    private.install_file("/etc/dovecot/sql.conf.ext",
                         "driver = sqlite\nconnect = /etc/dovecot/db/users.sqlite\npassword_query = SELECT u AS user, "
                         "p AS "
                         "password, nets AS allow_nets FROM users WHERE u = '%u'\n")
    private.install_file("/etc/dovecot/denied", "denied@example.test\n")
    reconfigure(passdb="passdb {\n  driver = passwd-file\n  args = /etc/dovecot/denied\n  deny = yes\n}\n"
                "passdb {\n  driver = sql\n  args = /etc/dovecot/sql.conf.ext\n}\n"
                "userdb {\n  driver = static\n  args = uid=vmail gid=vmail home=/var/vmail/%u allow_all_users=yes\n}")
    codes = {name: auth_test(add(f"{name}@example.test"), f"{name}@example.test").returncode
             for name in ("eve", "nets", "lost", "denied", "unknown")}
    assert codes == {"eve": 0, "nets": 77, "lost": 77, "denied": 77, "unknown": 77}, codes


def test_a_rule_without_a_file_is_an_error_of_the_configuration():
    result = doveadm("-o", "auth_app_passwords=", "-o", "auth_app_password_required=yes", "user", USER, check=None)
    assert result.returncode == 89 and "auth_app_passwords" in result.stderr, result.stderr


if __name__ == "__main__":
    case.main(globals())
