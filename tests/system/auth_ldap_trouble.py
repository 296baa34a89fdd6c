#!/usr/bin/env python3
"""passdb and userdb ldap when something is wrong: a slapd that is stopped, restarted or hangs, mistakes of the
configuration, guesses. Culver alone; the comparisons with Dovecot are in auth_ldap.py."""

import concurrent.futures
import contextlib
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import auth_ldap
from auth_ldap import CERTIFICATES, CLEANUP, DATABASES, install, plain, settings, state, use
from harness import case
from harness.authpair import culver_alone
from harness.server import wait_for
from harness.slapd import MANAGER, MANAGER_PASSWORD, PEOPLE, person


def test_start():
    auth_ldap.test_start()
    use()


def only_culver(**more):
    install(settings(**more))
    pair = state["pair"]
    pair.stop()
    pair.write_config(DATABASES)
    pair.culver.start()
    return pair.culver


def login_time(peer, user="alice", password="secret"):
    start = time.monotonic()
    reply = peer.new_auth().login(plain(user, password))
    return reply, time.monotonic() - start


def test_an_unknown_user_takes_as_long_as_a_wrong_password():
    """M7. The comparison of `slow` costs the LDAP server much, that of an unknown user would cost it nothing."""
    hashed = subprocess.run(["doveadm", "pw", "-s", "SHA512-CRYPT", "-r", "200000", "-p", "secret"], check=True,
                            capture_output=True, text=True).stdout.strip().replace("{SHA512-CRYPT}", "{CRYPT}")
    subprocess.run(["ldapadd", "-x", "-D", MANAGER, "-w", MANAGER_PASSWORD, "-H", "ldap://127.0.0.1"],
                   input=person("slow", hashed), text=True, check=True, capture_output=True)
    for auth_bind in ("yes", "no"):
        culver = only_culver(auth_bind=auth_bind)
        assert login_time(culver, "slow")[0].kind == "OK"
        login_time(culver, "slow", "wrong")
        differences = []
        for _ in range(12):
            times = {"slow": [], "nobody": []}
            for _ in range(5):
                for user in times:
                    times[user].append(login_time(culver, user, "wrong")[1])
            known, unknown = (statistics.median(values) for values in times.values())
            differences.append(abs(known - unknown))
            if differences[-1] < max(0.010, known / 5):
                break
        else:
            raise AssertionError(f"auth_bind={auth_bind}: {known=} {unknown=} {differences=}")
    state["slapd"].modify(f"dn: uid=slow,{PEOPLE}\nchangetype: delete\n")


def test_explain_asks_the_directory_too():
    culver = only_culver()
    for user, word in (("alice", "ldap"), ("nobody", "unknown")):
        result = culver.doveadm("auth", "explain", user)
        assert word in result.stdout, result.stdout + result.stderr
    assert "secret" not in culver.doveadm("auth", "explain", "alice").stdout


def test_a_wrong_password_in_a_sasl_bind_is_a_temporary_failure():
    culver = only_culver(dn="Bob", dnpass="wrong", sasl_bind="yes", sasl_mech="DIGEST-MD5")
    assert culver.master().user("alice").kind == "FAIL"


def test_mistakes_are_all_named_at_once():
    pair = state["pair"]
    pair.stop()
    for line in ("nonsense = 1", "auth_bind = maybe", "scope = world", "ldap_version = x", "user_filter = (uid=%u",
                 "pass_attrs = uid=", "no equals sign", "user_filter = (uid=%{nosuch})", "tls_require_cert = often"):
        install(settings() + "# a comment\n" + line + "\nderef = sometimes\n")
        culver = pair.culver
        mark = len(culver.log())
        culver.start(check=False)
        with contextlib.suppress(AssertionError, OSError):
            culver.new_master()  # starts the auth process
        wait_for(lambda: "ldap.conf:" in culver.log()[mark:], f"a complaint about {line!r}: {culver.log()[mark:]}")
        new = culver.log()[mark:]
        assert "/etc/pair/ldap.conf:6: " in new and "/etc/pair/ldap.conf:7: " in new, new
        culver.stop()


def test_a_server_that_is_stopped_and_started_again():
    """Fast temporary failures while it is away; recovery by itself; an old connection is replaced unseen."""
    for auth_bind in ("no", "yes"):
        culver = only_culver(auth_bind=auth_bind)
        assert login_time(culver)[0].kind == "OK"
        state["slapd"].stop()
        shortest = 100
        for _ in range(20):
            reply, took = login_time(culver)
            assert reply.get("code") == "temp_fail", reply
            assert culver.master().user("alice").kind == "FAIL"
            shortest = min(took, shortest)
        assert shortest < 2, f"a server that is not there is waited for: {shortest}"
        attempts = culver.log().count("connecting to ldap://127.0.0.1")
        state["slapd"].start()
        wait_for(lambda: login_time(culver)[0].kind == "OK", "logins work again")
        assert attempts >= 1
        # Restarted between two logins: nobody notices.
        state["slapd"].stop()
        state["slapd"].start()
        assert login_time(culver)[0].kind == "OK"
        assert culver.master().user("alice").kind == "USER"
        assert login_time(culver, password="wrong")[0].fields == ["user=alice"]


HANGING = ({}, {"auth_bind": "yes"}, {"tls": "yes", "tls_ca_cert_file": f"{CERTIFICATES}/ca.pem"},
           {"hosts": None, "uris": "ldaps://127.0.0.1", "tls_ca_cert_file": f"{CERTIFICATES}/ca.pem"})


def test_a_server_that_hangs():
    """In bounded time, then at once, always temporary; nothing else of authd waits for it. Asked by several servers side
    by side, with and without a connection from before, each in its own way."""
    state["pair"].stop()
    servers = []
    for more in HANGING:
        for connected in (True, False):
            name = f"hanging{len(servers)}"
            install(settings(**more), f"/etc/pair/{name}.conf")
            servers.append(culver_alone(DATABASES.replace("/etc/pair/ldap.conf", f"/etc/pair/{name}.conf"), name))
            if connected:
                assert login_time(servers[-1])[0].kind == "OK", servers[-1].log()[-2000:]
    state["slapd"].freeze()
    try:
        with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
            meanwhile = list(pool.map(ask_what_hangs, servers))
    finally:
        state["slapd"].thaw()
    assert any(meanwhile), "authd's loop is blocked"
    for server in servers:
        wait_for(lambda: login_time(server)[0].kind == "OK", "logins work again")
        server.stop()


def ask_what_hangs(server):
    """Whether another client was served before the first login was answered."""
    client = server.new_auth()
    first = client.start(plain("alice"))
    server.new_auth().close()
    meanwhile = client.quiet_line(0.01) == ""
    if meanwhile:
        assert client.reply(first).get("code") == "temp_fail", server.name
    shortest = 100
    for _ in range(6):
        reply, took = login_time(server)
        assert reply.get("code") == "temp_fail", (server.name, reply)
        shortest = min(took, shortest)
    assert shortest < 2, f"{server.name}: {shortest} s, though the server is known to hang"
    return meanwhile


def test_the_other_server_is_asked_when_one_is_away():
    culver = only_culver(hosts="127.0.0.1:1 127.0.0.1")
    assert login_time(culver)[0].kind == "OK"


def test_a_reload_keeps_what_works_and_takes_what_is_new():
    culver = only_culver()
    assert culver.master().user("alice").get("home") == "/var/vmail/alice"
    install(settings(user_attrs="=home=/new/%u"))
    culver.reload()
    wait_for(lambda: culver.new_master().user("alice").get("home") == "/new/alice", "the new user_attrs count")
    install(settings() + "nonsense = 1\n")
    culver.reload()
    culver.wait_log("reload: the old settings stay in use.*nonsense")
    assert culver.new_master().user("alice").get("home") == "/new/alice"


def test_two_users_at_once_get_their_own_answers():
    """M5: no cache and no connection mixes them up."""
    culver = only_culver(auth_bind="yes")
    client = culver.new_auth()
    rows = []
    for _ in range(20):
        rows += [(plain("alice"), "OK"), (plain("carol", "carols"), "OK"), (plain("alice", "carols"), "FAIL"),
                 (plain("carol"), "FAIL"), (plain("nobody"), "FAIL")]
    replies = client.login_all([(sent, "service=imap\tsecured\tno-penalty", True) for sent, _ in rows])
    for (sent, kind), reply in zip(rows, replies):
        assert reply.kind == kind and reply.get("user") == sent.user.decode(), (sent, reply)
        assert reply.get("code") is None, (sent, reply)


if __name__ == "__main__":
    case.main(globals())
