#!/usr/bin/env python3
"""Names of every kind and the settings about them; master users. The same logins and lookups go to Debian's Dovecot
and to Culver, and the replies must be equal field by field. What is meant to differ: tests/harness/authrules.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authrules import ALL, USERS, all_met, database, files, row, start, state, stop

def test_master_users():
    private.install_file(USERS, "bob:{PLAIN}secret:5000:5000::/h::foo=bar\nann:{PLAIN}x:5000:5000::/h::\n")
    private.install_file("/etc/pair/masters", "chief:{PLAIN}top\nbob:{PLAIN}top\n")
    names = ("bob*chief", "BOB*chief", "bob*CHIEF", "nobody*chief", "bob*nobody", "bob*", "*chief", "bob*bob",
             "bob*ann",
             "chief", "bob*chief*chief", "", "bob")
    for extra in ("", "  pass = yes\n"):
        pair = start(ALL + "auth_master_user_separator = *\n" + database(
            "passdb", "passwd-file", "/etc/pair/masters", "  master = yes\n" + extra) + files(), (
                "fields-of-the-refused", "name-of-the-refused-master", "master-with-pass", "master-by-digest",
                "login-name-later", "name-of-256-bytes", "control-characters", "authzid-in-other-letters"))
        right = "master-with-pass" if extra else None
        with pair.together():
            pair.logins([row(mechanism, name, password) for mechanism in (sasl.Plain, sasl.Login) for name in names
                         for password in ("top", "secret", "")])
            pair.logins([row(mechanism, name, "wrong") for mechanism in (sasl.CramMd5, sasl.ScramSha1, sasl.DigestMd5)
                         for name in names])
            pair.logins([row(mechanism, "bob*chief", "top", accept=right)
                         for mechanism in (sasl.CramMd5, sasl.ScramSha1)])
            pair.login(*row(sasl.DigestMd5, "bob*chief", "top")[:1], initial=False, accept="master-by-digest")
            pair.logins([row(sasl.Plain, user, "top", authzid=other) for user, other in (
                ("chief", "bob"), ("chief", "nobody"), ("bob", "ann"), ("bob", "bob"), ("nobody", "bob"), ("chief", ""),
                ("chief", "BOB"), ("bob*chief", "ann"))])
            for user in ("bob", "nobody"):
                pair.user(user)
                pair.passdb(user)


NAMES = ["bob", "BOB", "bob@ex.test", "Bob@EX.Test", "bob@other.test", "bob@", "@ex.test", "bob@ex.test@x", "a b",
         "tab\tbed",
         "new\nline", "cr\rx", "quo\"te", "quo'te", "per%cent", "%u", "%{user}", "back\\slash", "semi;colon",
         "x' OR 1=1 --",
         "col:on", "sla/sh", "../up", "star*", "bob!x", "bob#x", "ümlaut", "\u4e2d\u6587", "\x01ctl", "\x7f", "a" * 255,
         "a" * 256,
         "a" * 1000, "bob=x", "bob,x", "-bob", "bob+x", "bob@ex.test.", "$bob", "`bob`", "{bob}"]
MESSAGES = [b"\0bo\0b\0secret", b"\0bob\0sec\0ret", b"\0bob", b"bob", b"", b"\0\0", b"\0\0secret", b"\0bob\0",
            b"x\0bob\0secret",
            b"bob\0bob\0secret", b"\0bob\0secret\0", b"\xff\xfe\0b\0c", b"\0\xff\xfe\0c", b"\0bob\0secret\n",
            b"\0 bob\0secret"]
SETTINGS = ["", "auth_username_chars =\n", "auth_username_chars =\nauth_username_format =\n",
            "auth_username_format = %n\n",
            "auth_username_format = %Un@fixed.test\n",
            "auth_username_format = %{domain}/%{username}\nauth_username_chars=\n",
            "auth_default_realm = ex.test\n", "auth_realms = ex.test other.test\n",
            "auth_realms = ex.test\nauth_default_realm = other.test\n",
            "auth_username_translation = %@\nauth_username_chars=\n",
            "auth_username_translation = #@/@!-\nauth_username_chars = abcdefghijklmnopqrstuvwxyz@.-0123456789\n",
            "auth_username_chars = abob\n"]


def test_names_and_the_settings_about_them():
    for number, settings in enumerate(SETTINGS):
        pair = start(ALL + settings + database("passdb", "static", "password=secret") + database(
            "userdb", "static", "uid=5000 gid=5000 home=/h/%u/%n/%d allow_all_users=yes"))
        kinds = (sasl.Plain, sasl.CramMd5, sasl.ScramSha1, sasl.DigestMd5,
                 sasl.Login) if number < 2 else (sasl.Plain, sasl.Login)
        rows = [row(mechanism, name, "secret") for name in NAMES for mechanism in kinds]
        if not settings:
            rows += [(sasl.Script("PLAIN", message), {}) for message in MESSAGES]
        rows += [row(sasl.DigestMd5, name, "secret", realm=realm)
                 for realm in ("ex.test", "other.test", "nope.test", "")
                 for name in ("bob", "bob@ex.test", "bob@other.test")]
        with pair.together():
            pair.logins(rows)
            for name in NAMES:
                if len(name) < 900:  # a line to Dovecot's master side has 1024 bytes
                    pair.user(name)
                    pair.passdb(name)
    start(ALL + database("passdb", "static", "password=secret"))
    state["pair"].login(sasl.Plain("bob", "secret", authzid="BOB"), accept="authzid-in-other-letters")


def test_every_accepted_difference_is_there():
    all_met()


CLEANUP = [stop]

if __name__ == "__main__":
    case.main(globals())
