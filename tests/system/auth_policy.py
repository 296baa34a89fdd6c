#!/usr/bin/env python3
"""The policy server beside Debian's Dovecot: the same questions and reports reach it from both, in the same JSON, and
what it says is obeyed alike."""

import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import Accepted, Pair
from harness.server import wait_for
from harness.webserver import Authority, Cut, Held, WebServer

Pair.ACCEPTED.update({name: Accepted(reason) for name, reason in {
    "log-only-reason": "with auth_policy_log_only a login that is let in does not carry the server's words",
}.items()})
USERS = "alice:{PLAIN}secret::::::\nbob:{PLAIN}secret::::::nologin user=carol\nmaster:{PLAIN}secret::::::\n"
PASSDBS = """passdb {
  driver = passwd-file
  args = /etc/pair/masters
  master = yes
}
passdb {
  driver = passwd-file
  args = /etc/pair/users
}
"""
PLACE = ("service=imap\tsecured\tno-penalty\tlip=127.0.0.1\tlport=143\trip=10.1.2.3\trport=999\tsession=abc\t"
         "client_id=\"name\" \"a\\b\"")
HEADERS = ("Authorization", "X-API-Key", "X-Mine")
state = {}


def configure(more="", url=None, timeout=30000):
    """Restarts both with these settings."""
    text = (f"auth_mechanisms = plain login cram-md5 scram-sha-256 anonymous\nauth_master_user_separator = *\n"
            f"auth_policy_server_url = {url or state['web'].url + '/policy'}\nauth_policy_hash_nonce = a nonce\n"
            f"auth_policy_server_timeout_msecs = {timeout}\n{more}\n" + PASSDBS)
    if "pair" in state:
        state["pair"].restart(text)
    else:
        state["pair"] = Pair(text)
    state["web"].take()


def answer(request):
    return state["answers"][request.query["command"]](request)


def says(allow='{"status":0}', report='{"status":0}', status=200):
    state["answers"] = {"allow": lambda request: (status, allow), "report": lambda request: (200, report)}


def asked(login, params=PLACE, reports=1, compare=True):
    """The login by both, which must be answered and asked about alike: (Culver's reply, what Culver asked)."""
    seen = []

    def ask(peer):
        state["web"].take()
        reply = peer.auth().login(login, params)
        wait_for(lambda: sum(request.query["command"] == "report" for request in state["web"].requests) >= reports,
                 f"a report about {login}")
        time.sleep(0.02)  # what must not come has a chance to
        seen.append([(request.method, request.path, request.query, request.body, request.headers.get("Content-Type"),
                      {key: value for key, value in request.headers.items() if key in HEADERS})
                     for request in state["web"].take()])
        return reply

    theirs, ours = state["pair"].both(ask)
    if compare:
        state["pair"].judge(f"{login}", theirs, ours)
        assert seen[0] == seen[1], f"{login}:\n  dovecot: {seen[0]}\n  culver:  {seen[1]}"
    return ours, seen[1]


def test_start():
    private.install_file("/etc/pair/users", USERS)
    private.install_file("/etc/pair/masters", "master:{PLAIN}secret::::::\n")
    state["web"] = WebServer(answer)
    says()
    configure()


def test_every_login_is_asked_about_and_reported():
    for login in (sasl.Plain("alice", "secret"), sasl.Plain("alice", "wrong"), sasl.Plain("nobody", "x"),
                  sasl.Plain("bob", "secret"), sasl.Plain("al\u00efce", "x"), sasl.Login("alice", "secret"),
                  sasl.CramMd5("alice", "secret"), sasl.CramMd5("alice", "wrong"),
                  sasl.Plain("alice*master", "secret"), sasl.Plain("alice*master", "wrong"),
                  sasl.Plain("master", "secret", authzid="alice"), sasl.Script("PLAIN", b"junk")):
        reply, requests = asked(login)
        assert requests[-1][2] == {"command": "report"}, requests
    commands = [request[2]["command"] for request in asked(sasl.Plain("alice", "secret"))[1]]
    assert commands == ["allow", "allow", "report"], commands
    # Without final-resp-ok Dovecot asks a second time after the login.
    asked(sasl.ScramSha256("alice", "secret"), PLACE + "\tfinal-resp-ok")
    asked(sasl.Plain("alice", "secret"), PLACE.replace("secured", "secured=tls"))
    asked(sasl.Plain("alice", "secret"), "service=smtp\tno-penalty\trip=2001:db8::1\tsession=\x01t\\x")


def test_refused_before_and_after():
    for words in ('{"status":-1,"msg":"go away"}', '{"status":-1}', '{"status":-7,"msg":""}',
                  '{"msg":"\\"x\\"","status":-1}'):
        says(words)
        for password in ("secret", "wrong"):
            reply, requests = asked(sasl.Plain("alice", password))
            assert reply.kind == "FAIL" and len(requests) == 2, (reply, requests)
            assert '"success":false,"policy_reject":true' in requests[-1][3]

    def after(request):
        state["count"] += 1
        return 200, '{"status":-1,"msg":"after"}' if state["count"] % 2 == 0 else '{"status":0}'
    state["count"] = 0
    state["answers"]["allow"] = after
    reply, requests = asked(sasl.Plain("alice", "secret"))
    assert reply.kind == "FAIL" and reply.get("reason") == "after" and len(requests) == 3
    state["pair"].culver.wait_log("Authentication failure due to policy server refusal: after")
    says()


def held_up(client, params):
    """A login that the policy server delays by three seconds, begun."""
    says('{"status":3}')
    before = len(state["web"].requests)
    waiting = client.start(sasl.Plain("alice", "secret"), params)
    wait_for(lambda: len(state["web"].requests) > before, "the policy server is asked")
    return waiting


def test_a_tarpit_delays_the_answer():
    says('{"status":1,"msg":"slow"}')
    for peer, address in zip(state["pair"].peers, ("10.9.0.1", "10.9.0.2")):
        for login, kind in ((sasl.Plain("alice", "secret"), "OK"), (sasl.Plain("alice", "wrong"), "FAIL")):
            start = time.monotonic()
            reply = peer.auth().login(login, f"service=imap\tsecured\trip={address}")
            assert reply.kind == kind and time.monotonic() - start > 0.9, (peer.name, reply, time.monotonic() - start)


def test_nobody_else_is_held_up():
    """Answered before the one that is delayed: with no-penalty, and another address that the server lets through."""
    client = state["pair"].culver.auth()
    for attempt in range(5):  # a machine that stands still for seconds spoils the order
        waiting = held_up(client, f"service=imap\tsecured\trip=10.9.{attempt}.3")
        assert client.login(sasl.Plain("alice", "secret"), PLACE).kind == "OK"
        says()
        assert client.login(sasl.Plain("alice", "secret"), f"service=imap\tsecured\trip=10.9.{attempt}.4").kind == "OK"
        first = not client.has_heard_of(waiting)
        assert client.finish(sasl.Plain("alice", "secret"), waiting).kind == "OK"
        if first:
            break
    else:
        raise AssertionError("others wait for the one that is delayed")
    time.sleep(0.3)  # the last report


def test_answers_that_are_none():
    for text in ("", "junk", "{}", '{"status":"-1"}', '{"status":"x"}', '{"status":-1.5}', '{"status":3000000000}',
                 '{"status":-1', "[]", '{"status":null}', '{"status":[-1]}', '{"msg":"x"}',
                 '{"status":0,"x":{"y":[1]}}'):
        says(text)
        assert asked(sasl.Plain("alice", "secret"))[0].kind == "OK", text
    says("{}", status=404)
    assert asked(sasl.Plain("alice", "secret"))[0].kind == "OK"
    for text in ("[" * 100000, '{"a":' * 100000, '{"status":' + "1" * 100000 + "}", "\0" * 100, b'{"msg":"\xff"}'):
        says(text)
        assert asked(sasl.Plain("alice", "secret"), compare=False)[0].kind == "OK", text[:20]
    says()


def test_a_server_that_is_dead():
    state["web"].down()
    try:
        client = state["pair"].culver.auth()
        assert client.login(sasl.Plain("alice", "secret"), PLACE).kind == "OK"
    finally:
        state["web"].up()
    says('{"status":-1}')
    assert client.login(sasl.Plain("alice", "secret"), PLACE).kind == "FAIL", "it is back"

    def cut(request):
        raise Cut
    state["answers"] = {"allow": cut, "report": cut}
    assert client.login(sasl.Plain("alice", "secret"), PLACE).kind == "OK"
    says()


def test_many_at_once():
    """A slow server: logins wait side by side, not in a row."""
    client = state["pair"].culver.auth()
    with Held(lambda request: (200, '{"status":0}')) as held:
        state["answers"]["allow"] = held
        ids = [client.start(sasl.Plain("alice", "secret"), f"service=imap\tno-penalty\trip=10.8.{number}.1")
               for number in range(20)]
        wait_for(lambda: len(held.waiting) == 20, lambda: f"all are asked about, not {len(held.waiting)} of them")
        assert client.quiet_line(0.2) == "", "an answer, though the policy server has given none"
    for id in ids:
        assert client.finish(sasl.Plain("alice", "secret"), id).kind == "OK"
    says()


def test_a_server_that_hangs():
    """Two questions, each for as long as it may take; then the login goes on without it."""
    configure(timeout=500)
    client = state["pair"].culver.auth()
    with Held(lambda request: (200, '{"status":-1}')) as held:
        state["answers"] = {"allow": held, "report": held}
        start = time.monotonic()
        assert client.login(sasl.Plain("alice", "secret"), PLACE).kind == "OK"
        assert time.monotonic() - start > 0.95, "two questions of half a second each"
    state["pair"].culver.wait_log("Policy server HTTP error")
    says()
    configure()


def test_reject_on_fail():
    configure("auth_policy_reject_on_fail = yes")
    for text in ("junk", "", "{}", '{"status":"x"}'):
        says(text)
        assert asked(sasl.Plain("alice", "secret"))[0].kind == "FAIL", text
    says("x", status=404)
    assert asked(sasl.Plain("alice", "secret"))[0].kind == "FAIL"
    says()
    assert asked(sasl.Plain("alice", "secret"))[0].kind == "OK"


def test_log_only():
    configure("auth_policy_log_only = yes")
    says('{"status":-1}')
    reply, requests = asked(sasl.Plain("alice", "secret"))
    assert reply.kind == "OK" and '"success":true,"policy_reject":true' in requests[-1][3]
    state["pair"].culver.wait_log("Policy check action 'drop connection' ignored")
    says('{"status":5}')
    asked(sasl.Plain("alice", "secret"), PLACE.replace("\tno-penalty", ""))
    says('{"status":-1,"msg":"words"}')
    state["pair"].login(sasl.Plain("alice", "secret"), PLACE, accept="log-only-reason")
    says()


def test_which_questions_are_asked():
    for setting, commands in (("check_before_auth", ["allow", "report"]), ("check_after_auth", ["allow", "report"]),
                              ("report_after_auth", ["allow", "allow"])):
        configure(f"auth_policy_{setting} = no")
        for password in ("secret", "wrong"):
            reply, requests = asked(sasl.Plain("alice", password), reports="report" in commands)
            if password == "secret":
                assert [request[2]["command"] for request in requests] == commands, (setting, requests)


def test_hashes_and_headers():
    for more in ("auth_policy_hash_mech = sha1\nauth_policy_hash_truncate = 17\n"
                 "auth_policy_server_api_header = X-Mine: bar",
                 "auth_policy_hash_mech = md5\nauth_policy_hash_truncate = 8\nauth_policy_server_api_header = justkey",
                 "auth_policy_hash_mech = sha512\nauth_policy_hash_truncate = 1\n"
                 "auth_policy_server_api_header = Authorization: Basic YTpi",
                 "auth_policy_hash_mech = sha256\nauth_policy_hash_truncate = 0",
                 "auth_policy_hash_mech = md4\nauth_policy_hash_truncate = 127"):
        configure(more)
        asked(sasl.Plain("alice", "secret"))
        asked(sasl.Plain("alice", "p\u00e4ss"))


def test_attributes():
    configure("auth_policy_request_attributes = z=1 attrs/cos=%{userdb:cos} a=%u attrs/b=%{passdb:foo} n=%{real_rip} "
              "m=%{mech} q=%r l=%l p=%w d=%d o=%{orig_user} au=%{auth_user} lu=%{login_user}")
    asked(sasl.Plain("alice", "secret"))
    asked(sasl.Plain("Alice@Foo", "\"\\\u00e4\x01"))
    configure("auth_policy_request_attributes = login=%u a/b/c=1 a/b/d=2 a/e=3 a/b2/c=4 b=5 lit=a\"b\\c%%")
    says()
    requests = asked(sasl.Plain("alice", "secret"), compare=False)[1]
    assert requests[0][3] == ('{"a":{"b":{"c":"1","d":"2"},"b2":{"c":"4"},"e":"3"},"b":"5",'
                              '"lit":"a\\"b\\\\c%","login":"alice","tls":false}'), requests[0]


def test_the_url_of_the_server():
    for end in ("/policy?a=b&", "/policy", "/", ""):
        configure(url=state["web"].url + end)
        asked(sasl.Plain("alice", "secret"))
    configure(url=state["web"].url + "/policy?a=b")
    state["pair"].culver.auth().login(sasl.Plain("alice", "secret"), PLACE)
    assert state["web"].requests[0].query == {"a": "b", "command": "allow"}, state["web"].requests[0]


def test_over_tls():
    authority = Authority("/etc/pair/ca")
    web = state["web"]
    state["web"] = WebServer(answer, tls=authority.certificate("localhost"))
    try:
        says('{"status":-1,"msg":"by TLS"}')
        configure("ssl_client_ca_file = /etc/pair/ca/ca.pem")
        assert asked(sasl.Plain("alice", "secret"))[0].get("reason") == "by TLS"
        Authority("/etc/pair/otherca", "Somebody else's")
        configure("ssl_client_ca_file = /etc/pair/otherca/ca.pem\nauth_policy_report_after_auth = no")
        assert asked(sasl.Plain("alice", "secret"), reports=0, compare=False)[0].kind == "OK", "not believed"
    finally:
        state["web"] = web
        says()


def test_settings_that_cannot_work():
    pair = state["pair"]
    pair.stop()
    for setting, words in (("auth_policy_hash_nonce =", "auth_policy_hash_nonce must be set"),
                           ("auth_policy_hash_mech = crc", "auth_policy_hash_mech"),
                           ("auth_policy_hash_truncate = 256", "is not smaller than digest size (256 >= 256)"),
                           ("auth_policy_request_attributes = a=1 b", "contains invalid value"),
                           ("auth_policy_server_url = ftp://x/", "auth_policy_server_url")):
        peer = pair.culver
        peer.write_config("base_dir = @BASE@\nlog_path = @LOG@\nprotocols =\nssl = no\n"
                          "auth_policy_server_url = http://127.0.0.1:1/\nauth_policy_hash_nonce = x\n"
                          f"{setting}\n{PASSDBS}")
        text = peer.start(check=False)
        with contextlib.suppress(OSError, AssertionError):
            peer.new_auth().close()  # authd starts when somebody comes
        wait_for(lambda: words in peer.log() + text, f"{words}: {text}{peer.log()[-1000:]}")
        peer.stop()


CLEANUP = [lambda: state["pair"].stop()]

if __name__ == "__main__":
    case.main(globals())
