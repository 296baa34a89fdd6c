"""What bench/run.py measures at the auth socket: the configurations, their files, the operations."""

import os
import resource
import sqlite3
import subprocess

from harness import private
from harness.server import build_directory

LOAD = os.path.join(build_directory(), "bench", "culver-auth-load")
SOCKET = "/run/dovecot/auth-client"
FOLDER = "/etc/dovecot/bench"
PASSWORD = "secret"
MILLION = 1000000
CORES = os.cpu_count()
# One request in flight waits for the other side each time; so many are enough for a figure that stands still.
MANY = {"culver": 20000, "dovecot": 20000}
MANY_BUSY = {"culver": 60000, "dovecot": 60000}
MANY_HASHES = {"culver": 20000, "dovecot": 1500}  # of a server that hashes each time: 1.8 ms each

PASSWD_FILE = "passdb {{\n  driver = passwd-file\n  args = {folder}/{name}\n}}\n"
SQL = f"passdb {{\n  driver = sql\n  args = {FOLDER}/sql.conf.ext\n}}\n"
AUTH = "auth_mechanisms = plain\nauth_verbose = no\nauth_cache_size = {cache}\nauth_failure_delay = 2 secs\n"


def setup(passdb, cache="10 M"):
    return AUTH.format(cache=cache) + passdb


def in_file(name):
    return PASSWD_FILE.format(folder=FOLDER, name=name)


# By name: what stands in place of the passdb of bench/run.py.
SETUPS = {
    "auth-plain": setup(in_file("plain")),
    "auth-hash": setup(in_file("hashed")),
    "auth-hash-sql": setup(SQL),
    "auth-no-cache": setup(in_file("hashed"), cache="0"),
    "auth-million": setup(in_file("million")),
}


def hash_of_password():
    return subprocess.run(["openssl", "passwd", "-6", "-salt", "Qp2xVn8sTb1LmZ3k", PASSWORD], check=True,
                          capture_output=True, text=True).stdout.strip()


def write(name, text):
    path = f"{FOLDER}/{name}"
    if not os.path.exists(path):
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o644)


def prepare(setup_name):
    """The files of a configuration, once."""
    os.makedirs(FOLDER, exist_ok=True)
    if setup_name == "auth-plain":
        write("plain", "".join(f"user{n}:{{PLAIN}}{PASSWORD}\n" for n in range(1000)))
    if setup_name in ("auth-hash", "auth-no-cache"):
        cheap = f"cheap:{{PLAIN}}{PASSWORD}\n"
        write("hashed", cheap + "".join(f"user{n}:{{SHA512-CRYPT}}{hash_of_password()}\n" for n in range(1000)))
    if setup_name == "auth-hash-sql" and not os.path.exists(f"{FOLDER}/users.sqlite"):
        database = sqlite3.connect(f"{FOLDER}/users.sqlite")
        database.execute("CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT)")
        stored = "{SHA512-CRYPT}" + hash_of_password()
        database.executemany("INSERT INTO users VALUES (?, ?)", ((f"user{n}", stored) for n in range(1000)))
        database.commit()
        database.close()
        os.chmod(f"{FOLDER}/users.sqlite", 0o644)
        write("sql.conf.ext", f"driver = sqlite\nconnect = {FOLDER}/users.sqlite\n"
                              "password_query = SELECT name AS user, password FROM users WHERE name = '%u'\n")
    if setup_name == "auth-million":
        # As long as lines with SHA512-CRYPT, but cheap to compare.
        filler = "x" * 100
        write("million", "".join(f"user{n}:{{PLAIN}}{PASSWORD}:5000:5000:{filler}:/var/vmail/user{n}::\n"
                                 for n in range(MILLION)))


def micro(peer, *words):
    """Microseconds of CPU for each login, and logins per second."""
    cpu, rate = peer.load("plain", SOCKET, *words, PASSWORD, program=LOAD)
    return cpu * 1e6, rate


def warm_and_measure(peer, count, connections, in_flight, user):
    micro(peer, 64, connections, min(in_flight, 4), user)
    return micro(peer, count, connections, in_flight, user)


def raw_crypt(seconds=3):
    """What crypt(3) alone makes of all cores, per second."""
    words = subprocess.run([LOAD, "crypt", str(seconds), str(CORES), hash_of_password(), PASSWORD], check=True,
                           capture_output=True, text=True).stdout.split()
    return int(words[1]) / float(words[0])


def hashes_per_second(peer, count):
    """Logins per second, and the share of the machine that the load generator left to the server."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _, rate = micro(peer, count, 4, 16, "user7")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    load = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return rate, 1 - load / (count / rate * CORES)


def register(measurement):
    def both_ways(name, title, setup_name, many, user, connections=1, in_flight=1):
        """Two figures: server and load on one core, and as the scheduler spreads them."""
        def spread(peer):
            return warm_and_measure(peer, many[peer.name], connections, in_flight, user)

        def one_core(peer):
            with peer.on_one_core():
                return spread(peer)

        one_core.__name__, spread.__name__ = f"{name}_one_core", name
        title += f", {in_flight} in flight" + (f" on each of {connections} connections" if connections > 1 else "")
        measurement(f"{title}, on one core", "µs CPU", setup_name)(one_core)
        measurement(f"{title}, on all cores", "µs CPU", setup_name)(spread)

    both_ways("auth_plain", "AUTH PLAIN, scheme PLAIN", "auth-plain", MANY, "user7")
    both_ways("auth_plain_busy", "AUTH PLAIN, scheme PLAIN", "auth-plain", MANY_BUSY, "user7", 4, 16)
    both_ways("auth_again", "repeated login, SHA512-CRYPT in a passwd-file", "auth-hash", MANY_HASHES, "user7")
    both_ways("auth_again_sql", "repeated login, SHA512-CRYPT behind SQLite", "auth-hash-sql", MANY_HASHES, "user7")

    @measurement("SHA512-CRYPT, each login hashed: share of what crypt(3) makes of the CPU that the load leaves", "%",
                 "auth-no-cache")
    def auth_hash_share(peer):
        micro(peer, 64, 4, 4, "user7")
        before = raw_crypt()
        rate, left = hashes_per_second(peer, 4000 if peer.name == "culver" else 2000)
        return 100 * rate / left / ((before + raw_crypt()) / 2), rate

    @measurement("SHA512-CRYPT, each login hashed, 1 in flight", "µs CPU", "auth-no-cache")
    def auth_hash_cpu(peer):
        return warm_and_measure(peer, 500, 1, 1, "user7")

    @measurement("cheap login while all cores hash, 99th percentile", "ms", "auth-no-cache")
    def auth_cheap_p99(peer):
        return between(peer)[1], 0

    @measurement("cheap login while all cores hash, median", "ms", "auth-no-cache")
    def auth_cheap_median(peer):
        return between(peer)[0], 0

    @measurement("passwd-file of 1,000,000: from the start to the first login", "s CPU", "auth-million")
    def auth_million_load(peer):
        micro(peer, 1, 1, 1, "user999999")
        return peer.cpu_seconds() - peer.cpu_at_start, 0

    @measurement("passwd-file of 1,000,000: memory of all processes", "MB", "auth-million")
    def auth_million_memory(peer):
        micro(peer, 1, 1, 1, "user999999")
        return peer.memory_kilobytes() / 1000, 0

    both_ways("auth_million_login", "passwd-file of 1,000,000: a login of any of them", "auth-million", MANY, "user%d")


def between(peer):
    result = subprocess.run([LOAD, "between", SOCKET, "5", "cheap", PASSWORD, "user7", PASSWORD, str(8 * CORES)],
                            capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        raise AssertionError(f"{peer.name}: {result.stderr}")
    return tuple(map(float, result.stdout.split()[-2:]))
