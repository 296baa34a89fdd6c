#!/usr/bin/env python3
"""`doveadm auth explain` where admins get into trouble: it names the mistake, and what it foretells happens."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, simple
from harness.mail import Connection
from harness.server import wait_for

USER, MAIN = "bob@example.test", "secret"
GOOD = f"{USER}:{{PLAIN}}{MAIN}\n"
state = {"network": 0}


def network():
    state["network"] += 1
    return f"127.{100 + state['network'] // 200}.{state['network'] % 200}.7"


def configure(text=None, more="", passdb=simple.PASSDB, users=GOOD):
    """Another situation; what was in /var/vmail is gone."""
    subprocess.run("rm -rf /var/vmail/* ; chown vmail:vmail /var/vmail; chmod 0700 /var/vmail", shell=True, check=True)
    private.install_file("/etc/dovecot/users", users)
    state["server"].restart((text or simple.CONFIG).replace(simple.PASSDB, passdb) + "auth_failure_delay = 0\n" + more)
    wait_for(lambda: os.path.exists("/run/dovecot/auth-client"), "the server is up")


def without(*names):
    return "".join(line + "\n" for line in simple.CONFIG.splitlines() if line.split(" ")[0] not in names)


def explain(code, *texts, user=USER, args=(), absent=()):
    result = subprocess.run(["doveadm", "auth", "explain", *args, *([user] if isinstance(user, str) else user)],
                            capture_output=True, text=True, timeout=120)
    said = result.stdout + result.stderr
    assert result.returncode == code, (code, result.returncode, said)
    for text in texts:
        assert text in said, f"{text!r} is not in:\n{said}"
    for text in absent:
        assert text not in said, f"{text!r} is in:\n{said}"
    return result.stdout


def log_in(user=USER, password=MAIN, source=None):
    """Whether a mail client gets as far as its INBOX."""
    client = Connection(143, source=source or network())
    client.line()
    answer = client.command(f'a LOGIN "{user}" "{password}"')
    good = bool(answer) and answer[-1].startswith("a OK")
    if good:
        answer = client.command("b SELECT INBOX")
        good = bool(answer) and answer[-1].startswith("b OK")
    client.close()
    return good


def test_start():
    state["server"] = simple.start("auth_failure_delay = 0\n")


def test_a_login_that_works():
    configure()
    said = explain(0, "name: BOB@Example.test", "auth_username_format = %Lu: becomes bob@example.test",
                   "knows this user",
                   "password of scheme PLAIN: serves PLAIN", "uid = vmail (mail_uid, /etc/dovecot/dovecot.conf:",
                   "does not exist yet; /var/vmail does: owner vmail:vmail, mode 0700", "mail is taken",
                   "=> A login with the right password succeeds.", user="BOB@Example.test")
    assert not os.path.exists("/var/vmail/example.test"), "explaining makes nothing"
    assert log_in()
    explain(0, "home: /var/vmail/example.test/bob exists: owner vmail:vmail", "/Maildir exists: owner")
    explain(0, "=> A login with this password succeeds.", user=(USER, MAIN))
    assert said.splitlines()[-1].startswith("=> ")


def test_a_wrong_password():
    explain(77, "the password given does not match", "=> A login with this password is refused", user=(USER, "wrong"))


def test_an_unknown_user():
    explain(67, "does not know this user", "and no passdb is left", "550 5.1.1", "no passdb knows nobody@example.test",
            user="nobody@example.test", absent=("mail:",))
    assert not log_in("nobody@example.test")


def test_a_name_with_characters_that_are_not_allowed():
    explain(67, "auth_username_chars = abc", "character disallowed", "refused before any database is asked",
            user="bob smith")


def test_a_name_without_its_domain():
    explain(67, "no passdb knows bob.", user="bob")
    configure(more="auth_default_realm = example.test\n")
    explain(0, "auth_default_realm = example.test (/etc/dovecot/dovecot.conf:", "becomes bob@example.test", user="bob")
    assert log_in("bob")


def test_a_password_without_its_scheme():
    """The file's default is CRYPT: a password in the clear never matches."""
    configure(passdb="passdb {\n  driver = passwd-file\n  args = /etc/dovecot/users\n}", users=f"{USER}:{MAIN}\n")
    explain(77, "password of scheme CRYPT", "it is what is stored, as text: write {PLAIN} in front", user=(USER, MAIN))
    assert not log_in()


def test_a_hash_with_a_stray_character():
    """Tutorial 001's published file has a backquote behind the hash."""
    hashed = subprocess.run(["doveadm", "pw", "-s", "SSHA256", "-p", MAIN], capture_output=True,
                            text=True).stdout.strip()
    configure(users=f"{USER}:{hashed}`\n")
    explain(77, "the stored password cannot be used: Input isn't valid base64", "doveadm pw makes the hash")
    assert not log_in()


def test_a_locked_account():
    configure(users=f"{USER}:{{CRYPT}}!$6$abc$def\n")
    explain(77, "it begins with '!': the account is locked", "can match no password")
    assert not log_in()


def test_a_mechanism_that_cannot_use_the_stored_password():
    hashed = subprocess.run(["doveadm", "pw", "-s", "SHA512-CRYPT", "-p", MAIN], capture_output=True,
                            text=True).stdout.strip()
    configure(more="auth_mechanisms = cram-md5 scram-sha-256\n", users=f"{USER}:{hashed}\n")
    explain(77, "serves no mechanism, not CRAM-MD5 SCRAM-SHA-256", "add plain to it")


def test_a_user_who_is_denied():
    private.install_file("/etc/dovecot/denied", f"{USER}\n")
    configure(passdb="passdb {\n  driver = passwd-file\n  deny = yes\n  args = /etc/dovecot/denied\n}\n"
              + simple.PASSDB)
    explain(77, "deny = yes: this user is refused", "not asked: passdb 1 has the last word", "a passdb with deny = yes")
    assert not log_in()


def test_allow_nets_and_the_client_s_address():
    configure(users=f"{USER}:{{PLAIN}}{MAIN}::::::allow_nets=127.7.0.0/16\n")
    explain(0, "only clients there are let in")
    explain(0, "127.7.1.1 is in it", args=("-x", "rip=127.7.1.1"))
    explain(77, "IP 127.8.1.1 not in 127.7.0.0/16", "by a field of the passdb", args=("-x", "rip=127.8.1.1"))
    assert log_in(source="127.7.1.1") and not log_in(source="127.8.1.1")


def test_nologin():
    configure(users=f"{USER}:{{PLAIN}}{MAIN}::::::nologin reason=Account=closed\n")
    explain(77, "nologin: IMAP and POP3 logins are refused", "reason=Account=closed: is told to the client", "no login")
    assert not log_in()
    explain(0, "Postfix still lets him send", args=("-x", "service=smtp"))


def test_result_rules_that_let_nobody_in():
    configure(passdb=simple.PASSDB.replace("}", "  result_success = continue\n}"))
    explain(77, "result_success = continue: and no passdb is left", "result rules of the passdbs")
    assert not log_in()
    second = simple.PASSDB.replace("}", "  skip = authenticated\n}")
    configure(passdb=simple.PASSDB.replace("}", "  result_success = continue-ok\n}") + "\n" + second)
    explain(0, "result_success = continue-ok: the next passdb is asked, so far it is a yes",
            "not asked: skip = authenticated, and a passdb above has said yes")
    assert log_in()


def test_fields_from_a_passdb_that_lets_nobody_in():
    private.install_file("/etc/dovecot/fields", f"{USER}:::::::noauthenticate allow_nets=127.0.0.0/8\n")
    first = "passdb {\n  driver = passwd-file\n  args = /etc/dovecot/fields\n}\n"
    configure(passdb=first + simple.PASSDB)
    explain(0, "noauthenticate: this passdb only adds fields", "noauthenticate: the next passdb is asked")
    assert log_in()
    configure(passdb=first)
    explain(75, "cannot authenticate user", "A login is a temporary failure")
    assert not log_in()


def test_a_second_passdb_that_has_the_right_password():
    private.install_file("/etc/dovecot/second", f"{USER}:{{PLAIN}}{MAIN}\n")
    second = "\npassdb {\n  driver = passwd-file\n  args = /etc/dovecot/second\n}\n"
    configure(users=f"{USER}:{{PLAIN}}other\n", passdb=simple.PASSDB + second)
    explain(0, "the password given does not match", "result_failure = continue: the next passdb is asked",
            "the password given matches", "passdbs together: passwd-file(/etc/dovecot/users): ", user=(USER, MAIN))
    assert log_in()


def test_filters_that_leave_the_user_out():
    configure(passdb=simple.PASSDB.replace("}", "  username_filter = *@other.test\n}"))
    explain(75, "no passdb is asked for it", "not asked: username_filter = *@other.test leaves bob@example.test out")
    assert not log_in()
    configure(passdb=simple.PASSDB.replace("}", "  mechanisms = cram-md5\n}"),
              more="auth_mechanisms = plain cram-md5\n")
    explain(75, "not asked: mechanisms = cram-md5, but this login uses PLAIN")
    explain(0, "knows this user", args=("-x", "mech=cram-md5"))
    assert not log_in()


def test_a_database_that_is_not_there():
    private.install_file("/etc/dovecot/sql.conf.ext", "driver = sqlite\nconnect = /nonexistent/users.sqlite\n")
    configure(passdb="passdb {\n  driver = sql\n  args = /etc/dovecot/sql.conf.ext\n}")
    explain(75, "/nonexistent/users.sqlite", "A login is a temporary failure: a passdb could not tell")
    assert not log_in()


def test_a_passdb_entry_without_userdb_fields():
    """passwd-file as userdb wants uid and gid: fewer than four fields are no user."""
    configure(more="userdb {\n  driver = passwd-file\n  args = /etc/dovecot/users\n}\n")
    explain(67, "userdb 1: passwd-file", "does not know this user", "no userdb knows bob@example.test", "550 5.1.1")
    assert not log_in()


def test_no_uid_anywhere():
    configure(without("mail_uid", "mail_gid"))
    explain(75, "uid = (not set) (mail_uid, default)", "User is missing UID (see mail_uid setting)")
    assert not log_in()


def test_a_uid_that_is_not_allowed():
    configure(simple.CONFIG.replace("mail_uid = vmail", "mail_uid = 499"))
    explain(75, "uid 499 is outside first_valid_uid..last_valid_uid (500..)")
    assert not log_in()


def test_mail_is_nowhere():
    configure(without("mail_location", "mail_home"))
    explain(75, "mail = (not set) (mail_location, default)", "mail_location not set and autodetection failed")
    assert not log_in()


def test_a_home_that_belongs_to_somebody_else():
    configure()
    os.makedirs("/var/vmail/example.test")
    explain(75, "uid 5000 may not write to /var/vmail/example.test (owner root:root, mode 0755)",
            "Try: install -d -o 5000 -g 5000 -m 0700 /var/vmail/example.test/bob")
    assert not log_in()
    shutil.chown("/var/vmail/example.test", "vmail", "vmail")
    explain(0)
    assert log_in()


def test_a_folder_above_that_lets_nobody_through():
    configure()
    os.makedirs("/var/vmail/example.test/bob/Maildir")
    subprocess.run("chown -R vmail:vmail /var/vmail/example.test; chown root:root /var/vmail", shell=True, check=True)
    explain(75, "uid 5000 may not go through /var/vmail (owner root:root, mode 0700). Try: chmod o+x /var/vmail")
    assert not log_in()


def test_a_file_where_a_directory_should_be():
    configure()
    os.makedirs("/var/vmail/example.test/bob")
    open("/var/vmail/example.test/bob/Maildir", "w").close()
    subprocess.run("chown -R vmail:vmail /var/vmail/example.test", shell=True, check=True)
    explain(75, "/var/vmail/example.test/bob/Maildir is no directory")
    assert not log_in()


def test_a_disk_that_is_mounted_read_only():
    configure()
    subprocess.run("mkdir /var/vmail/example.test && mount -t tmpfs -o ro,noexec,uid=5000,mode=0700 tmpfs "
                   "/var/vmail/example.test", shell=True, check=True)
    try:
        explain(75, "on a read-only file system", "mounted noexec", "mount it read-write")
        assert not log_in()
    finally:
        subprocess.run(["umount", "/var/vmail/example.test"], check=True)


def test_pam_keeps_its_passwords_and_lmtp_cannot_tell():
    private.add_user("dora", uid=6001, password="unixpass")
    private.install_file("/etc/pam.d/dovecot", "auth required pam_unix.so\naccount required pam_unix.so\n")
    configure(passdb="passdb {\n  driver = pam\n}")
    explain(0, "pam keeps its passwords to itself", "taken for granted here", "could not tell: mail waits",
            "allow_all_users=yes", user="dora")
    explain(0, "authd, asked with this password, says: yes", user=("dora", "unixpass"))
    explain(77, "authd, asked with this password, says: no", user=("dora", "wrong"))


def test_an_address_that_is_held():
    client = Connection(143, source="127.9.9.9")
    client.line()
    for number in range(3):
        client.send(f"a{number} LOGIN dora wrong{number}")
    client.until("a0")
    wait_for(lambda: "127.9.9.9" in subprocess.run(["doveadm", "penalty"], capture_output=True, text=True).stdout,
             "the address is held")
    explain(0, "penalty: 127.9.9", "is held because of wrong logins", user="dora", args=("-x", "rip=127.9.9.9"))
    client.close()


def test_an_app_password_is_needed():
    configure(more="auth_app_passwords = /var/lib/dovecot/app.sqlite\nauth_app_password_required = imap\n")
    explain(77, "app passwords: /var/lib/dovecot/app.sqlite", "doveadm auth app-password add bob@example.test")
    made = subprocess.run(["doveadm", "auth", "app-password", "add", "-n", "phone", USER], capture_output=True,
                          text=True)
    explain(0, '"phone" (id 1): good for this login', "an app password is needed for service imap")
    explain(77, "an app password is needed.", user=(USER, MAIN))
    explain(0, 'the password given is "phone"', user=(USER, made.stdout.strip()))
    assert log_in(password=made.stdout.strip()) and not log_in()


def test_a_master_user():
    private.install_file("/etc/dovecot/masters", "boss:{PLAIN}master\n")
    configure(passdb="passdb {\n  driver = passwd-file\n  master = yes\n  args = /etc/dovecot/masters\n}\n"
              + simple.PASSDB,
              more="auth_master_user_separator = *\n")
    explain(0, "boss logs in as bob@example.test", "this is a master login: only master = yes is asked",
            "home: /var/vmail/example.test/bob", user=f"{USER}*boss")
    explain(0, "not asked: master = yes is for master users only")
    assert log_in(f"{USER}*boss", "master")


def test_a_configuration_that_was_not_loaded():
    configure()
    with open("/etc/dovecot/dovecot.conf") as file:
        text = file.read()
    more = "userdb {\n  driver = static\n  args = uid=vmail gid=vmail home=/srv/%u\n}\n"
    private.install_file("/etc/dovecot/dovecot.conf", text + more)
    explain(75, "running server: its userdbs say otherwise", "doveadm reload")


def test_the_cleartext_rule_is_named():
    configure(simple.CONFIG.replace("disable_plaintext_auth = no", "login_trusted_networks = 10.0.0.0/8"))
    explain(0, "disable_plaintext_auth = yes: without TLS PLAIN and LOGIN are taken only from this machine and from "
               "login_trusted_networks = 10.0.0.0/8")


def test_a_configuration_that_lets_nobody_in():
    result = subprocess.run(["doveadm", "-o", "auth_mechanisms=nosuch", "auth", "explain", USER], capture_output=True,
                            text=True)
    assert result.returncode == 89, result
    assert subprocess.run(["doveadm", "auth", "explain"], capture_output=True).returncode == 64


if __name__ == "__main__":
    case.main(globals())
