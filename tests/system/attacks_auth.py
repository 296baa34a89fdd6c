#!/usr/bin/env python3
"""Published flaws of how logins are decided: the auth socket, and configurations that once let the wrong one in."""

import base64
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import attack, case, private, simple
from harness.attack import AuthClient, bounds, connect, send_and_drain
from harness.simple import PASSWORD, USER

EVIL = "evil@example.test"
ONE, TWO = "one@example.test", "two@example.test"
DATABASE = "/etc/dovecot/db/users.sqlite"
HASHED = "/etc/dovecot/hashed"


def test_start():
    attack.start("auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 external\n",
                 (USER, EVIL, ONE, TWO))


def with_passdbs(text, more=""):
    attack.reconfigure(simple.CONFIG.replace(simple.PASSDB, text) + "auth_failure_delay = 0\n" + more)


def test_cve_2025_59028_bytes_that_cannot_be_on_the_auth_socket():
    with bounds(growth=16):
        steady = AuthClient()
        for junk in (b"\0" * 100 + b"\n", b"x" * 200000, b"VERSION\n", b"VERSION\t99999999999999999999\t1\n",
                     b"CPID\t-1\n",
                     b"AUTH\n", b"AUTH\t\t\n", b"AUTH\t99999999999\tPLAIN\tservice=imap\n", b"AUTH\t1\tPLAIN\n",
                     b"CONT\n", b"CONT\t1\n", b"CONT\t77\tAAAA\n", b"CANCEL\n", b"CANCEL\tx\n", b"\n" * 1000,
                     b"\xff\xfe\x01\n",
                     b"AUTH\t1\tPLAIN\tservice=imap\tresp=!!!\n", b"AUTH\t1\tNOSUCH\tservice=imap\tresp=AA==\n",
                     b"AUTH\t1\tPLAIN\tservice=imap\tresp==\n", b"AUTH\t1\tPLAIN\tservice=imap\tresp=A\x01\n",
                     b"AUTH\t1\tPLAIN\tservice=imap\tresp=AGEAYg==\nAUTH\t1\tPLAIN\tservice=imap\tresp=AGEAYg==\n"):
            client = AuthClient()
            answer = send_and_drain_auth(client, junk)
            assert "OK\t" not in answer, (junk[:40], answer)
        assert steady.plain(USER, PASSWORD).startswith("OK\t"), "another client of authd is disturbed"
        steady.close()


def send_and_drain_auth(client, data):
    return send_and_drain(client, data, 0.2).decode(errors="replace")


def test_cve_2019_3814_forged_certificates_on_the_auth_socket():
    """EXTERNAL needs to be offered; a certificate or a name in the fields of a request is not a password."""
    with bounds():
        client = AuthClient()
        name = base64.b64encode(USER.encode()).decode()
        for fields in ("valid-client-cert", f"valid-client-cert\tcert_username={USER}", f"cert_username={USER}"):
            client.begin("EXTERNAL", name, fields + "\tno-penalty")
            assert client.line().startswith("FAIL\t"), fields
            assert client.plain(USER, "wrong", fields + "\tno-penalty").startswith("FAIL\t"), fields
        client.close()


def test_cve_2026_42008_nopassword_cannot_be_injected():
    with bounds():
        client = AuthClient()
        for fields in ("nopassword", f"user={USER}", "nopassword=y", "proxy", "forward_nopassword=y", "final-resp-ok",
                       "successful",
                       f"login_user={USER}", "skip_password_check=yes", "session=a\x01tnopassword"):
            assert client.plain(USER, "wrong", fields + "\tno-penalty").startswith("FAIL\t"), fields
            assert client.plain(USER, "", fields + "\tno-penalty").startswith("FAIL\t"), fields
        client.close()


def test_unfinished_requests_are_counted():
    """The reference keeps 30 MiB for 5,000 of them; here a connection has 1,000."""
    with bounds(growth=16):
        client = AuthClient()
        for _ in range(1200):
            client.begin("PLAIN", None)
        refused = 0
        for _ in range(1200):
            refused += client.line().startswith("FAIL\t")
        assert refused == 200, refused
        attack.authd_answers()
        client.close()


def test_vanishing_at_each_step_of_each_mechanism():
    """2019-11494, 2019-11499: disconnecting while authenticating."""
    with bounds(growth=16):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"):
            for answer in (None, "", "=", "AA==", "AAAA" * 2000):
                client = AuthClient()
                number = client.begin(mechanism, None)
                client.line()
                if answer is not None:
                    try:
                        client.send(f"CONT\t{number}\t{answer}\n")
                    except BrokenPipeError:
                        raise AssertionError(f"{mechanism}: cut off before the answer {answer!r}") from None
                client.close()
        attack.authd_answers()


def test_long_names_and_passwords_are_refused():
    with bounds(growth=8):
        client = AuthClient()
        assert client.plain("x" * 256, "y").startswith("FAIL\t")
        assert client.plain(USER, "y" * 1025).startswith("FAIL\t")
        assert client.plain(USER, PASSWORD).startswith("OK\t")
        client.close()


def hashed_line(user, password, rounds=5000):
    line = subprocess.run(["doveadm", "pw", "-s", "SHA512-CRYPT", "-r", str(rounds), "-p", password], check=True,
                          capture_output=True, text=True).stdout.strip()
    return f"{user}:{line}\n"


def test_an_unknown_user_and_a_wrong_password_take_the_same_time():
    """Promise 6 (2026-27856 and its like)."""
    private.install_file(HASHED, "".join(hashed_line(user, PASSWORD, 100000) for user in (ONE, TWO, attack.WITNESS)))
    with_passdbs(f"passdb {{\n  driver = passwd-file\n  args = {HASHED}\n}}")
    client = AuthClient()

    def guess(user, number):
        assert client.plain(user, f"wrong{number}").startswith("FAIL\t")

    attack.take_the_same_time("guesses", (lambda number: guess(ONE, number),
                                          lambda number: guess("nobody@example.test", number)), bound=10, turns=15)


def test_cve_2022_30550_two_passdbs_with_the_same_arguments_keep_their_own_flags():
    deny = simple.PASSDB.replace("driver", f"deny = yes\n  username_filter = {EVIL}\n  driver", 1)
    for passdbs in (deny + "\n" + simple.PASSDB, simple.PASSDB.replace("driver", f"username_filter = {ONE}\n  driver",
                                                                   1) + "\n" + deny
                    + "\n" + simple.PASSDB):
        with_passdbs(passdbs)
        client = AuthClient()
        for user in (USER, ONE):
            assert client.plain(user, PASSWORD).startswith("OK\t"), user
        assert client.plain(EVIL, PASSWORD).startswith("FAIL\t"), "a denied user gets in through the second passdb"
        client.close()


def test_cve_2022_30550_a_master_passdb_lends_its_right_to_nobody():
    """The master's flag belongs to one passdb; its twin with the same file knows no masters."""
    private.install_file("/etc/dovecot/masters", "chief:topsecret\n")
    master = "passdb {\n  driver = passwd-file\n  args = scheme=PLAIN /etc/dovecot/masters\n  master = yes\n}"
    with_passdbs(master + "\n" + simple.PASSDB, "auth_master_user_separator = *\n")
    client = AuthClient()
    assert client.plain(f"{USER}*chief", "topsecret").startswith("OK\t")
    for user, password in ((f"{USER}*{ONE}", PASSWORD), ("chief", "topsecret"), (f"{USER}*chief", PASSWORD),
                           (f"{USER}*", PASSWORD),
                           (f"*{USER}", PASSWORD), ("*chief", "topsecret"), (f"{USER}*chief*chief", "topsecret"),
                           (f"nobody@example.test*chief", "wrong")):
        assert client.plain(user, password).startswith("FAIL\t"), user
    client.close()


def test_cve_2026_0394_the_domain_of_a_name_is_no_path():
    private.install_file("/etc/users", f"bob@..:{PASSWORD}\nbob:{PASSWORD}\n")
    private.install_file("/etc/dovecot/example.test/users", f"{USER}:{PASSWORD}\n{attack.WITNESS}:{PASSWORD}\n")
    with_passdbs("passdb {\n  driver = passwd-file\n  args = scheme=PLAIN /etc/dovecot/%d/users\n}",
                 "auth_username_chars =\n")
    with bounds():
        client = AuthClient()
        assert client.plain(USER, PASSWORD).startswith("OK\t")
        for name in ("bob@..", "bob@../../etc", "bob@.", "bob", "bob@", "bob@example.test/../..", "bob@/etc",
                     "bob@..\\", "bob@%2e%2e"):
            assert client.plain(name, PASSWORD).startswith("FAIL\t"), name
        client.close()


def make_database(users):
    os.makedirs(os.path.dirname(DATABASE), exist_ok=True)
    os.chmod(os.path.dirname(DATABASE), 0o755)
    if os.path.exists(DATABASE):
        os.unlink(DATABASE)
    database = sqlite3.connect(DATABASE)
    database.execute("CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT)")
    database.executemany("INSERT INTO users VALUES (?, ?)", users)
    database.commit()
    database.close()
    os.chmod(DATABASE, 0o644)
    private.install_file("/etc/dovecot/sql.conf.ext", f"""driver = sqlite
connect = {DATABASE}
default_pass_scheme = PLAIN
password_query = SELECT name AS user, password FROM users WHERE name = '%u'
""")


SQL_PASSDB = "passdb {\n  driver = sql\n  args = /etc/dovecot/sql.conf.ext\n}"


def test_cve_2026_24031_sql_is_never_made_of_names():
    """And 2026-40018, 2025-26794: auth_username_chars empty, quotes, comments, multi-byte characters."""
    make_database([(USER, PASSWORD), ("o'brien@example.test", PASSWORD), (attack.WITNESS, PASSWORD)])
    with_passdbs(SQL_PASSDB, "auth_username_chars =\n")
    with bounds():
        client = AuthClient()
        assert client.plain("o'brien@example.test", PASSWORD).startswith("OK\t")
        for name in ("x' OR '1'='1", "x' OR 1=1 --", f"{USER}' --", "x'; DROP TABLE users; --",
                     "x' UNION SELECT 'bob@example.test', 'p",
                     "\\' OR 1=1 --", "%' OR name LIKE '%", '" OR ""="', "x'/*", "%", "_%", "?", ":1", "@name", "$1"):
            assert client.plain(name, PASSWORD).startswith("FAIL\t"), name
            assert client.plain(name, "p").startswith("FAIL\t"), name
        for name in (b"\xbf' OR 1=1 --", b"\xbf\x27", b"\xe5\x5c' OR 1=1 --", b"\xc0\xa7 OR 1=1"):
            client.begin("PLAIN", base64.b64encode(b"\0" + name + b"\0" + PASSWORD.encode()).decode())
            assert client.line().startswith("FAIL\t"), name
        assert client.plain(USER, PASSWORD).startswith("OK\t"), "the table is gone"
        client.close()


def interleaved(one, two):
    """Two users in turn, each with his own, the other's and a wrong password; the cache must tell them apart."""
    client = AuthClient()
    for _ in range(10):
        for (user, right), (other, foreign) in ((one, two), (two, one)):
            answer = client.plain(user, right)
            assert answer.startswith("OK\t") and f"user={user}" in answer.split("\t"), answer
            assert client.plain(user, foreign).startswith("FAIL\t"), f"{user} logs in with the password of {other}"
            assert client.plain(user, right + "x").startswith("FAIL\t")
            assert client.plain(user.upper(), foreign).startswith("FAIL\t")
    assert client.plain("three@example.test", one[1]).startswith("FAIL\t"), "a user that does not exist logs in"
    client.close()


def test_cve_2025_30189_the_cache_keeps_users_apart():
    """auth_cache_size on, for each kind of passdb."""
    users = ((ONE, "first"), (TWO, "second"))
    cache = "auth_cache_size = 1M\nauth_cache_ttl = 1 hour\nauth_cache_negative_ttl = 1 hour\n"
    make_database([*users, (attack.WITNESS, PASSWORD)])
    private.install_file(HASHED, "".join(hashed_line(*user) for user in (*users, (attack.WITNESS, PASSWORD))))
    for passdb in (SQL_PASSDB, f"passdb {{\n  driver = passwd-file\n  args = {HASHED}\n}}"):
        with_passdbs(passdb, cache)
        with bounds():
            interleaved(*users)


def test_cve_2025_30189_the_cache_keeps_system_users_apart():
    for name, password in (("sysone", "first"), ("systwo", "second")):
        private.add_user(name, password=password)
    for driver in ("shadow", "pam"):
        args = "  args = cache_key=%u%s *\n" if driver == "pam" else ""
        with_passdbs(f"passdb {{\n  driver = {driver}\n{args}}}",
                     "auth_cache_size = 1M\n")
        client = AuthClient()
        for _ in range(2):
            for user, right, foreign in (("sysone", "first", "second"), ("systwo", "second", "first")):
                answer = client.plain(user, right)
                assert answer.startswith("OK\t") and f"user={user}" in answer, (driver, answer)
                if driver == "shadow":  # a refusal of PAM takes its 2 seconds
                    assert client.plain(user, foreign).startswith("FAIL\t"), driver
        client.close()


def test_a_login_goes_on_working():
    with_passdbs(simple.PASSDB)
    client = connect()
    assert client.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK")
    client.close()


CLEANUP = [attack.stop]

if __name__ == "__main__":
    case.main(globals())
