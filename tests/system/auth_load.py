#!/usr/bin/env python3
"""Logins under load: floods of guesses, penalties over all services, databases that are locked or gone, equal times."""

import base64
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import attack, case, flood, private, simple
from harness.attack import AuthClient, bounds
from harness.flood import Flood
from harness.mail import Connection
from harness.server import wait_for
from harness.simple import PASSWORD, USER

HASHED = "/etc/dovecot/hashed"
DATABASE = "/etc/dovecot/db/users.sqlite"
SQL_PASSDB = "passdb {\n  driver = sql\n  args = /etc/dovecot/sql.conf.ext\n}"
HASHED_PASSDB = f"passdb {{\n  driver = passwd-file\n  args = {HASHED}\n}}"
KNOWN = "127.200.1.1"  # users log in from there
FLOOD_CONNECTIONS = 1000  # as many as may wait for a login at once
FLOOD_CPU_SECONDS = 600  # a flood may use what is there for as long as it goes on


def hash_of(password, rounds=5000):
    return subprocess.run(["doveadm", "pw", "-s", "SHA512-CRYPT", "-r", str(rounds), "-p", password], check=True,
                          capture_output=True, text=True).stdout.strip()


def with_passdb(passdb, more="auth_failure_delay = 2 secs\n"):
    attack.reconfigure(simple.CONFIG.replace(simple.PASSDB, passdb) + more)


def test_start():
    attack.start("", (USER,))
    stored = hash_of(PASSWORD)
    private.install_file(HASHED, f"{USER}:{stored}\n{attack.WITNESS}:{stored}\n")


def login_time(source):
    start = time.perf_counter()
    client = Connection(143, source=source, timeout=120)
    greeting = client.line()
    assert greeting and greeting.startswith("* OK"), greeting
    answer = client.command(f"a LOGIN {USER} {PASSWORD}")
    assert answer and answer[-1].startswith("a OK"), answer
    took = time.perf_counter() - start
    client.close()
    return took


def right_logins_during(sources, label):
    """Each right login succeeds, and in the time of one, not in the time of a guess, which has to wait."""
    alone = statistics.median(login_time(KNOWN) for _ in range(9))
    times = {"known": [], "new": []}
    with Flood(sources, lambda number: f"a LOGIN {USER} wrong{number}") as storm:
        # When all have sent their first guess, and again when these are answered, held, and followed by others.
        for wait in (lambda: storm.wait_sent(FLOOD_CONNECTIONS * 2 // 3),
                     lambda: storm.wait_answered(FLOOD_CONNECTIONS // 4)):
            wait()
            times["known"] += [login_time(KNOWN) for _ in range(20)]
            times["new"] += [login_time(attack.source()) for _ in range(20)]  # a network that was never seen before
        guess = storm.mean_wait()
    for kind, values in times.items():
        middle = statistics.median(values)
        assert middle < max(guess / 4, 10 * alone), \
            f"{label}: right logins from a {kind} network take {middle:.3f} s, alone {alone:.3f}, guesses {guess:.3f}"


def floods():
    right_logins_during(flood.sources_of_networks(FLOOD_CONNECTIONS), "many networks")
    right_logins_during(flood.sources_of_one_network(FLOOD_CONNECTIONS), "one network")


def test_a_flood_of_wrong_passwords_does_not_delay_the_right_ones():
    with_passdb(simple.PASSDB)
    with bounds(cpu_seconds=FLOOD_CPU_SECONDS):
        floods()


def test_a_flood_of_wrong_passwords_does_not_delay_the_right_ones_when_each_is_hashed():
    with_passdb(HASHED_PASSDB)
    with bounds(cpu_seconds=FLOOD_CPU_SECONDS):
        floods()


def test_connections_that_come_back_when_they_are_cut_off_keep_nobody_out():
    """Twice as many as there are places: who was sent away, or guesses, displaces nobody, and the log stays short."""
    with_passdb(simple.PASSDB)
    login_time(KNOWN)
    sources = flood.sources_of_networks(2 * FLOOD_CONNECTIONS)
    for sends in (None, lambda number: f"a LOGIN {USER} wrong{number}"):
        with bounds(cpu_seconds=FLOOD_CPU_SECONDS), Flood(sources, sends) as storm:
            storm.wait_cut_off(FLOOD_CONNECTIONS // 2)
            before = storm.cut_off
            waiting = Connection(143, source=attack.source(), timeout=120)
            assert waiting.line().startswith("* OK"), "a new network finds no place"
            for _ in range(20):
                login_time(KNOWN)
                login_time(attack.source())
            # Had each of them taken a place, it would have been the turn of the one who takes his time.
            storm.wait_cut_off(before + FLOOD_CONNECTIONS * 3 // 2)
            answer = waiting.command(f"a LOGIN {USER} {PASSWORD}")
            assert answer[-1].startswith("a OK"), answer
            waiting.close()
    server = attack.state["server"]
    server.wait_log(r"Warning: Too many connections wait for a login \(login-limit\); sent away in 10 secs: \d+ from "
                    r"\d+ networks, most of them from 127\.\d+\.\d+\.0/24; ban")
    lines = server.log().count("(login-limit)")
    warnings = server.log().count("Too many connections wait for a login (login-limit); sent away")
    # Ten that were sent away are named for each Warning, and for the one that is still to come.
    assert lines <= 11 * (warnings + 1), f"{lines} lines, {warnings} of them warnings"


def penalties(*arguments):
    return subprocess.run(["doveadm", "-f", "tab", "penalty", *arguments], check=True, capture_output=True,
                          text=True).stdout.splitlines()[1:]


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def second_guess_held():
    """One guess over IMAP, a second one from the same address over SMTP, and what `doveadm penalty` says while that is
    held (4 seconds). Gives the address, when it began, the rows, and the one who waits."""
    for _ in range(10):
        address, start = attack.source(), time.monotonic()
        client = Connection(143, source=address)
        client.line()
        assert client.command(f"a LOGIN {USER} one")[-1].startswith("a NO")
        smtp = AuthClient()
        smtp.send(f"AUTH\t1\tPLAIN\tservice=smtp\tsecured\trip={address}\tresp={plain(USER, 'two')}\n")
        rows = penalties(address)
        client.close()
        if time.monotonic() - start < 3.5:
            return address, start, rows, smtp
        smtp.close()  # a busy machine: too late to see it
    raise AssertionError("doveadm penalty has taken seconds ten times")


def test_penalties_count_over_all_services_and_are_told_in_words():
    with_passdb(simple.PASSDB, "auth_failure_delay = 0\n")
    address, start, rows, smtp = second_guess_held()
    assert len(rows) == 1, rows
    bucket, level, held, guesses, until, words = rows[0].split("\t")
    assert (bucket, level, guesses) == (address, "1", "1"), rows
    assert 1 <= int(held) <= 4 and re.fullmatch(r"\d\d:\d\d:\d\d", until), rows
    assert "1 different wrong login;" in words and "is looked at in" in words and until in words, words
    assert smtp.line().startswith("FAIL\t1"), "it is answered when its time has come"
    assert time.monotonic() - start > 3.9, "the second guess is not held"
    assert penalties(address)[0].split("\t")[1:4:2] == ["2", "2"], "guesses of both services"
    network = address.rsplit(".", 1)[0] + ".0/24"
    assert penalties(network) and not penalties("127.78.0.0/16")
    cleared = subprocess.run(["doveadm", "penalty", "-c", network], check=True, capture_output=True, text=True)
    assert cleared.stdout == "1 penalty forgotten\n", cleared.stdout
    assert not penalties(address)
    smtp.send(f"AUTH\t2\tPLAIN\tservice=smtp\tsecured\trip={address}\tresp={plain(USER, PASSWORD)}\n")
    assert smtp.line().startswith("OK\t2")


def test_penalties_take_a_network_of_ipv6_together():
    with_passdb(simple.PASSDB, "auth_failure_delay = 0\n")
    client = AuthClient()
    start = time.monotonic()
    assert client.plain(USER, "wrong", "rip=2001:db8:1:2::1").startswith("FAIL\t")
    assert [row.split("\t")[0] for row in penalties()] == ["2001:db8:1:2::/64"]
    assert client.plain(USER, PASSWORD, "rip=2001:db8:1:3::1").startswith("OK\t"), "the next network"
    client.send(f"AUTH\t99\tPLAIN\tservice=imap\trip=2001:db8:1:2:ffff::1\tresp={plain(USER, PASSWORD)}\n")
    assert client.line().startswith("OK\t99")
    assert time.monotonic() - start > 3.9, "another address of the network is not held"


def test_penalties_can_be_switched_off_as_with_dovecot():
    with_passdb(simple.PASSDB, "auth_failure_delay = 0\n"
                             "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n")
    client = AuthClient()
    start = time.monotonic()
    for number in range(5):
        assert client.plain(USER, f"wrong{number}", "rip=127.66.1.1").startswith("FAIL\t")
    # With penalties they would take 4 + 8 + 15 + 15 seconds.
    assert time.monotonic() - start < 30 and not penalties()


def seconds_of_login(client, user, more="no-penalty"):
    start = time.monotonic()
    assert client.plain(user, PASSWORD, more).startswith("OK\t"), (user, more)
    return time.monotonic() - start


def test_a_thousand_guesses_sent_at_once_are_not_compared_at_once():
    for passdb in (simple.PASSDB, HASHED_PASSDB):
        with_passdb(passdb, "auth_failure_delay = 0\n")
        with bounds(cpu_seconds=20):
            client, other = AuthClient(), AuthClient()
            client.send("".join(f"AUTH\t{n}\tPLAIN\tservice=imap\trip=127.88.1.1\tresp={plain(USER, f'guess{n}')}\n"
                                for n in range(1, 1000)))
            # One who is held waits for 4 seconds at least.
            assert min(seconds_of_login(other, USER, f"rip=127.88.1.{host}") for host in (2, 3, 4)) < 2, "a neighbour"
            wait_for(lambda: penalties("127.88.1.1"), "the first ones are refused", 60)
            time.sleep(1)
            count = int(penalties("127.88.1.1")[0].split("\t")[3])
            assert 1 <= count <= 16, f"{count} guesses have been compared"
            client.close()


def make_database(path=DATABASE, password=PASSWORD):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.chmod(os.path.dirname(path), 0o755)
    if os.path.exists(path):
        os.unlink(path)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT)")
    database.executemany("INSERT INTO users VALUES (?, ?)", [(USER, password), (attack.WITNESS, PASSWORD)])
    database.commit()
    database.close()
    os.chmod(path, 0o644)
    private.install_file("/etc/dovecot/sql.conf.ext", f"""driver = sqlite
connect = {DATABASE}
default_pass_scheme = PLAIN
password_query = SELECT password FROM users WHERE name = '%u'
""")


def test_a_locked_sqlite_file_is_a_temporary_failure():
    make_database()
    private.install_file("/etc/dovecot/others", f"other@example.test:{PASSWORD}\n")
    others = "passdb {\n  driver = passwd-file\n  args = scheme=PLAIN /etc/dovecot/others\n}\n"
    with_passdb(others + SQL_PASSDB, "auth_failure_delay = 0\n")
    client = AuthClient()
    assert client.plain(USER, PASSWORD).startswith("OK\t")
    lock = sqlite3.connect(DATABASE, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    lock.execute("UPDATE users SET password = 'other'")
    time.sleep(1.1)  # what was read a second ago may still be known
    waiting = AuthClient()
    for _ in range(50):
        waiting.begin("PLAIN", plain(USER, PASSWORD))
    # Those who wait for the lock wait for two seconds.
    assert min(seconds_of_login(client, "other@example.test") for _ in range(5)) < 1, "who is not in SQLite"
    for _ in range(50):
        answer = waiting.line()
        assert answer.startswith("FAIL\t") and "code=temp_fail" in answer, answer
    lock.execute("ROLLBACK")
    lock.close()
    assert client.plain(USER, PASSWORD).startswith("OK\t"), "it has not recovered"


def test_a_missing_or_replaced_sqlite_file_needs_no_restart():
    make_database()
    with_passdb(SQL_PASSDB, "auth_failure_delay = 0\n")
    client = AuthClient()
    assert client.plain(USER, PASSWORD).startswith("OK\t")
    os.rename(DATABASE, DATABASE + ".away")
    answer = client.plain(USER, PASSWORD)
    assert answer.startswith("FAIL\t") and "code=temp_fail" in answer, answer
    os.rename(DATABASE + ".away", DATABASE)
    assert client.plain(USER, PASSWORD).startswith("OK\t"), "it is not found again"
    make_database(DATABASE + ".new", "changed")
    os.rename(DATABASE + ".new", DATABASE)
    assert client.plain(USER, "changed").startswith("OK\t"), "the new file is not seen"
    assert client.plain(USER, PASSWORD).startswith("FAIL\t"), "the old file is still asked"
    with open(DATABASE, "w") as file:
        file.write("this is no database any more" * 100)
    answer = client.plain(USER, "changed")
    assert answer.startswith("FAIL\t") and "code=temp_fail" in answer, answer
    make_database(DATABASE + ".new")
    os.rename(DATABASE + ".new", DATABASE)
    assert client.plain(USER, PASSWORD).startswith("OK\t"), "it has not recovered"


def equal_times(label, passwords, bound):
    client = AuthClient()
    assert client.plain(USER, PASSWORD).startswith("OK\t"), label

    def guess(user, number):
        assert client.plain(user, passwords(number)).startswith("FAIL\t")

    attack.take_the_same_time(label, (lambda number: guess(USER, number),
                                      lambda number: guess("nobody@example.test", number)), bound)


def test_an_unknown_user_and_a_wrong_password_take_the_same_time_everywhere():
    stored = hash_of(PASSWORD, 50000)
    private.install_file("/etc/dovecot/slow", f"{USER}:{stored}\n{attack.WITNESS}:{stored}\n")
    slow_file = "passdb {\n  driver = passwd-file\n  args = /etc/dovecot/slow\n}"
    cache_on = "auth_cache_size = 1M\n"
    for cache in ("", cache_on):
        for name, passdb, bound in (("PLAIN", simple.PASSDB, 1), ("SHA512-CRYPT", slow_file, 5),
                                    ("SQL, PLAIN", PASSWORD, 1), ("SQL, SHA512-CRYPT", stored, 5)):
            if name.startswith("SQL"):
                make_database(password=passdb)
                passdb = SQL_PASSDB
            with_passdb(passdb, "auth_failure_delay = 0\n" + cache)
            label = f"{name}, cache {'on' if cache else 'off'}"
            equal_times(label, lambda number: f"wrong{number}", bound)
            equal_times(label + ", the same guess again", lambda number: "wrong", bound)


def test_a_login_goes_on_working():
    with_passdb(simple.PASSDB)
    client = attack.connect()
    assert client.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK")
    client.close()


CLEANUP = [attack.stop]

if __name__ == "__main__":
    case.main(globals())
