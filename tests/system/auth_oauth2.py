#!/usr/bin/env python3
"""OAuth 2.0 logins beside Debian's Dovecot: the same tokens to both, asked about at the same web services. Tokens that
are checked with local keys: auth_oauth2_local.py."""

import contextlib
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import Accepted, Pair
from harness.server import wait_for
from harness.webserver import Authority, Cut, Held, WebServer

OIDC = "https://id.example.test/.well-known/openid-configuration?a=b"
Pair.ACCEPTED.update({name: Accepted(reason) for name, reason in {
    "token-refused-by-401": "introspection_mode = auth: a 401 is about the token that was shown, and a client that "
                            "hears so fetches a new one; Dovecot calls it a temporary failure",
    "error-status": "an answer with a 4xx status lets nobody in, whatever stands in it",
    "list-of-audiences": "RFC 7662 allows a list of audiences or scopes; Dovecot sees none in it",
    "client-certificate": "tls_cert_file works as documented; Dovecot 2.3 takes its name for the certificate",
    "active-missing": "active_attribute is set and the answer has no such member: refused",
    "aud-is-no-scope": "a token without scope is not let in by its audience (CVE-2026-73208); Dovecot only warns",
}.items()})
RAWLOG = "/var/tmp/rawlog"
# name -> dovecot-oauth2.conf.ext; users are somebody@<name>.test
CONFIGS = {
    "auth": "introspection_url = @URL@/introspect",
    "get": "introspection_url = @URL@/introspect?token=\nintrospection_mode = get\nclient_id = my id\n"
           "client_secret = a&b=%",
    "post": "introspection_url = @URL@/introspect\nintrospection_mode = post\nclient_id = my id\n"
            "client_secret = a&b=%",
    "basic": "introspection_url = @CREDENTIALS@/introspect\nintrospection_mode = post",
    "tokeninfo": "tokeninfo_url = @URL@/tokeninfo?access_token=",
    "both": "tokeninfo_url = @URL@/tokeninfo?access_token=\nintrospection_url = @URL@/introspect\n"
            "force_introspection = yes",
    "attrs": "introspection_url = @URL@/introspect\npass_attrs = host=%{oauth2:host} proxy=y "
             "pass=%{oauth2:access_token}"
             " n=%{oauth2:n} t=%{oauth2:t} name=%n none=%{oauth2:none} userdb_x=%{oauth2:scope}",
    "rename": "introspection_url = @URL@/introspect\npass_attrs = user=%{oauth2:real}",
    "scope": "introspection_url = @URL@/introspect\nscope = mail imap",
    "audience": "introspection_url = @URL@/introspect\naudience = mailserver",
    "active": "introspection_url = @URL@/introspect\nactive_attribute = enabled\nactive_value = yes",
    "format": "introspection_url = @URL@/introspect\nusername_attribute = login\nusername_format = %n",
    "headers": "introspection_url = @URL@/introspect\nsend_auth_headers = yes",
    "grant": "grant_url = @URL@/grant\nclient_id = my id\nclient_secret = a&b=%\nuse_grant_password = yes\n"
             "introspection_url = @URL@/introspect\npass_attrs = pass=%{oauth2:access_token}\nscope = mail",
    "grantonly": "grant_url = @URL@/grant\nclient_id = my id\nuse_grant_password = yes",
    "dead": "introspection_url = http://127.0.0.1:1/introspect",
    "slow": "introspection_url = @URL@/slow\ntimeout_msecs = 2500",
    "tls": "introspection_url = @TLS@/introspect\ntls_ca_cert_file = /etc/pair/ca/ca.pem",
    "clientcert": "introspection_url = @CLIENTCERT@/introspect\ntls_ca_cert_file = /etc/pair/ca/ca.pem\n"
                  "tls_cert_file = /etc/pair/ca/client.pem\ntls_key_file = /etc/pair/ca/client.key",
    "nocert": "introspection_url = @CLIENTCERT@/introspect\ntls_ca_cert_file = /etc/pair/ca/ca.pem",
    "rawlog": f"introspection_url = @URL@/introspect\nrawlog_dir = {RAWLOG}",
    "otherca": "introspection_url = @TLS@/introspect\ntls_ca_cert_file = /etc/pair/otherca/ca.pem",
}
state = {}


def answer(request):
    state["seen"].append(request)
    return state["answer"](request)


def user(domain, name="alice"):
    return f"{name}@{domain}.test"


def known(**members):
    """The service knows each token as this user's."""
    def says(request):
        return 200, {"active": True, **members}
    state["answer"] = says


def test_start():
    state["seen"] = []
    known()
    authority = Authority("/etc/pair/ca")
    Authority("/etc/pair/otherca", "Somebody else's")
    state["web"] = web = WebServer(answer)
    state["tls"] = WebServer(answer, tls=authority.certificate("localhost"))
    authority.certificate("client")
    wanting = authority.certificate("localhost")
    wanting.client_authority = authority.path
    state["wanting"] = WebServer(answer, tls=wanting)
    os.makedirs(RAWLOG)
    shutil.chown(RAWLOG, "dovecot", "dovecot")
    text = "auth_mechanisms = plain login xoauth2 oauthbearer\n"
    for name, config in CONFIGS.items():
        for key, value in (("@URL@", web.url), ("@TLS@", state["tls"].url), ("@CLIENTCERT@", state["wanting"].url),
                           ("@CREDENTIALS@", web.url.replace("://", "://us%20er:pa%40ss@"))):
            config = config.replace(key, value)
        private.install_file(f"/etc/pair/{name}.conf", f"{config}\nopenid_configuration_url = {OIDC}\n")
        text += f"passdb {{\n  driver = oauth2\n  username_filter = *@{name}.test\n  args = /etc/pair/{name}.conf\n}}\n"
    state["pair"] = Pair(text)


def both(domain, token="good", name="alice", kinds=(sasl.XOAuth2, sasl.OAuthBearer, sasl.Plain), **options):
    """The same login by each mechanism; what Culver says to the first."""
    return state["pair"].logins([kind(user(domain, name), token) for kind in kinds], **options)[0]


def one(domain, token="good", name="alice", **options):
    return both(domain, token, name, kinds=(sasl.OAuthBearer,), **options)


def requests_of(what):
    """What each server asked during `what`: ([Dovecot's], [Culver's]), without what says nothing."""
    state["seen"].clear()
    seen = []

    def ask(peer):
        reply = peer.auth().login(what, params=PLACE)
        seen.append([(request.method, request.path, request.query, request.form(),
                      {key: value for key, value in request.headers.items() if key in HEADERS})
                     for request in state["seen"]])
        state["seen"].clear()
        return reply

    state["pair"].compare(f"{what}", ask)
    return seen


HEADERS = ("Authorization", "Content-Type", "X-Dovecot-Auth-Service", "X-Dovecot-Auth-Local", "X-Dovecot-Auth-Remote")
PLACE = ("service=imap\tsecured\tno-penalty\tlip=127.0.0.1\tlport=143\trip=127.0.0.9\trport=999")


def test_the_web_services_are_asked_the_same():
    for domain in ("auth", "get", "post", "basic", "tokeninfo", "both", "headers", "grant"):
        known(email=user(domain), scope="mail", access_token="fromgrant", token_type="bearer")
        for login in (sasl.XOAuth2(user(domain), "tok.-_~+/=en"), sasl.OAuthBearer(user(domain), "good"),
                      sasl.Plain(user(domain), "pass w%&=+ord\u00e9")):
            theirs, ours = requests_of(login)
            assert theirs, f"nothing was asked for {login}"
            assert theirs == ours, f"{login}:\n  dovecot: {theirs}\n  culver:  {ours}"


def test_tokens_that_are_good():
    for domain in ("auth", "get", "post", "basic", "tokeninfo", "both", "headers", "tls"):
        known(email=user(domain), expires_in=100, token_type="Bearer")
        reply = both(domain)
        assert reply.kind == "OK" and reply.get("token") == "good", reply
        assert both(domain, name="ALICE").get("user") == user(domain)
        assert both(domain, name="bob").kind == "FAIL"


def test_a_service_that_wants_to_know_who_asks():
    """tls_cert_file and tls_key_file; without them the service closes, which is a temporary failure."""
    known(email=user("clientcert"))
    assert one("clientcert", accept="client-certificate").kind == "OK"
    known(email=user("nocert"))
    assert state["pair"].culver.auth().login(sasl.OAuthBearer(user("nocert"), "t")).get("code") == "temp_fail"


def test_what_is_said_is_kept_where_an_admin_wants_it():
    """rawlog_dir: each request and its answer, for nobody else to read, as they hold the token."""
    known(email=user("rawlog"), scope="rawlogged")
    assert state["pair"].culver.auth().login(sasl.OAuthBearer(user("rawlog"), "thetoken")).kind == "OK"
    kept = {}
    for name in os.listdir(RAWLOG):
        assert os.stat(f"{RAWLOG}/{name}").st_mode & 0o077 == 0, name
        with open(f"{RAWLOG}/{name}") as file:
            kept[name.rsplit(".")[-1]] = file.read()
    assert sorted(kept) == ["in", "out"], kept
    assert "GET /introspect" in kept["out"] and "thetoken" in kept["out"], kept
    assert kept["in"].startswith("HTTP/1.1 200") and "rawlogged" in kept["in"], kept


def test_fields_of_the_answer():
    known(email=user("attrs"), host="10.0.0.1", access_token="at", n=5, t=True, scope="a b", o={"x": 1})
    assert both("attrs").get("host") == "10.0.0.1"
    known(email=user("attrs"))
    both("attrs")
    known(email=user("rename"), real="carol@example.test")
    assert both("rename").get("user") == "carol@example.test"
    known(login="alice@elsewhere.test")
    assert both("format").kind == "OK"
    assert both("format", name="bob").kind == "FAIL"


def test_what_a_token_must_be_good_for():
    pair = state["pair"]
    with pair.together():
        for scope, kind in (("mail imap", "OK"), ("x imap mail", "OK"), ("mail", "FAIL"), ("imap", "FAIL"),
                            ("", "FAIL"),
                            ("mailimap", "FAIL"), ("mail,imap", "FAIL")):
            known(email=user("scope"), scope=scope, aud="mail imap")
            assert both("scope").kind == kind, scope
        known(email=user("scope"))
        assert both("scope").kind == "FAIL"
        for audience, kind in (("mailserver", "OK"), ("mail", "FAIL"), ("mailserver2", "FAIL"),
                               ("a mailserver", "FAIL")):
            known(email=user("audience"), aud=audience, scope="mailserver")
            assert both("audience").kind == kind, audience
        known(email=user("audience"), scope="mailserver")
        assert both("audience").kind == "FAIL"
    known(email=user("scope"), aud=["mail", "imap"])
    assert both("scope").kind == "FAIL"
    known(email=user("scope"), aud="mail imap")
    pair.login(sasl.OAuthBearer(user("scope"), "t"), accept="aud-is-no-scope")
    known(email=user("scope"), scope=["imap", "mail"])
    assert one("scope", accept="list-of-audiences").kind == "OK"
    known(email=user("audience"), aud=["x", "mailserver"])
    assert one("audience", accept="list-of-audiences").kind == "OK"


def test_tokens_that_are_not_active():
    for members, kind in (({"active": False}, "FAIL"), ({"active": "false"}, "FAIL"), ({"active": 0}, "FAIL"),
                          ({"active": None}, "FAIL"), ({"active": "TRUE"}, "FAIL"), ({"active": "true"}, "OK")):
        known(email=user("auth"), **members)
        assert both("auth").kind == kind, members
    state["answer"] = lambda request: (200, {"active": False})
    assert both("auth").kind == "FAIL"
    for members, kind in (({"enabled": "yes"}, "OK"), ({"enabled": "no"}, "FAIL"), ({"enabled": True}, "FAIL"),
                          ({"enabled": "yes", "active": False}, "OK")):
        known(email=user("active"), **members)
        assert both("active").kind == kind, members
    known(email=user("active"))
    assert one("active", accept="active-missing").kind == "FAIL"


def replies(status, content, headers=None):
    state["answer"] = lambda request: (status, content, headers or {})


def test_answers_that_say_nothing():
    """Could not tell is a temporary failure, never a wrong password."""
    good = {"email": user("post"), "active": True}
    with state["pair"].together():
        for status, content in ((500, good), (503, "x"), (204, ""), (404, {}), (400, {}), (403, {"error": "x"}),
                                (401, {"error": "invalid_client"}), (200, ""), (200, "junk"), (200, "[]"), (200, '"x"'),
                                (200, "{}"), (200, '{"email":"' + user("post") + '"'), (200, '{"email":"a\\u0000b"}'),
                                (200, {"error": "nope"})):
            replies(status, content)
            assert both("post").get("code") == "temp_fail", (status, content)
    replies(400, good)
    assert one("post", accept="error-status").get("code") == "temp_fail"
    replies(302, "{}", {"Location": state["web"].url + "/elsewhere"})
    state["seen"].clear()
    reply = state["pair"].culver.auth().login(sasl.OAuthBearer(user("post"), "t"))
    assert reply.get("code") == "temp_fail" and len(state["seen"]) == 1, (reply, state["seen"])
    replies(401, {"error": {"code": "InvalidAuthenticationToken"}})
    reply = one("auth", accept="token-refused-by-401")
    assert reply.kind == "FAIL" and reply.get("code") is None and reply.steps, reply
    with state["pair"].together():
        for status in (400, 401):
            replies(status, {"error": "invalid_token"})
            assert both("tokeninfo").get("code") is None
        for content in ({"expires_in": "soon", "email": user("tokeninfo")},
                        {"token_type": "mac", "email": user("tokeninfo")}):
            replies(200, content)
            assert both("tokeninfo").get("code") == "temp_fail"


def test_the_password_grant():
    def service(grant):
        def says(request):
            return grant if request.path == "/grant" else (200, {"email": user("grant"), "scope": "mail"})
        state["answer"] = says
    with state["pair"].together():
        service((200, {"access_token": "fromgrant", "token_type": "bearer", "expires_in": 10}))
        reply = both("grant", "password")
        assert reply.kind == "OK" and reply.get("token") == "fromgrant" and reply.get("pass") == "fromgrant", reply
        for status in (400, 401, 403):
            service((status, {"error": "invalid_grant"}))
            assert both("grant", "wrong").get("code") is None
        for grant in ((401, {"error": "invalid_client"}), (400, {}), (200, {"error": "invalid_grant"}), (200, {}),
                      (500, {"error": "invalid_grant"}), (200, "x")):
            service(grant)
            assert both("grant", "password").get("code") == "temp_fail", grant
        known(email=user("grantonly"), access_token="at")
        assert both("grantonly", "password").kind == "OK"
        replies(200, {"access_token": "at"})
        assert both("grantonly", "password").get("code") == "temp_fail"


def test_messages_of_the_mechanisms():
    known(email=user("auth"))
    name = user("auth")
    xoauth2 = [f"user={name}\1auth=bearer good\1\1", f"user={name}\1auth=BEARER good\1\1",
               f"auth=Bearer good\1user={name}\1\1", f"user={name}\1auth=Bearer good",
               f"user={name}\1auth=Basic good\1\1",
               f"user={name}\1\1", "auth=Bearer good\1\1", "user=\1auth=Bearer good\1\1",
               f"user={name}\1auth=Bearer \1\1",
               f"user={name}\1auth=Bearer go od\1\1", f"user={name}\1auth=Bearer a.b-c_d~e+f/g==\1\1",
               f"user={name}\1x=y\1auth=Bearer good\1\1", f"user=bob@auth.test\1user={name}\1auth=Bearer good\1\1",
               f"user={name}\1auth=Bearer a\1auth=Bearer good\1\1", f"user={name}\1auth=Bearer good\1\1more",
               f"user={name}\1auth=Bearer good\1auth=Basic x\1\1", "junk", "", "\1", "\1\1\1",
               f"USER={name}\1AUTH=Bearer good\1\1", f"user={name}\1auth=Bearer\1\1",
               f"user=a'b@auth.test\1auth=Bearer x\1\1"]
    oauthbearer = [f"n,a={name},\1auth=Bearer good\1\1", f"y,a={name},\1auth=Bearer good\1\1",
                   f"p=tls-unique,a={name},\1auth=Bearer good\1\1", f"f,n,a={name},\1auth=Bearer good\1\1",
                   "n,,\1auth=Bearer good\1\1", "n,a=,\1auth=Bearer good\1\1",
                   "n,a=alice=40auth.test,\1auth=Bearer x\1\1",
                   "n,a=al=2Cice,\1auth=Bearer good\1\1", "n,a=al=3Dice,\1auth=Bearer good\1\1",
                   "n,a=al=2cice,\1auth=Bearer good\1\1", "n,a=al=,\1auth=Bearer good\1\1",
                   f"n,a={name}\1auth=Bearer good\1\1", f"a={name},\1auth=Bearer good\1\1",
                   f"n,a={name},x=y\1auth=Bearer good\1\1", f"n,a={name},\1host=h\1port=1\1auth=Bearer good\1\1",
                   f"n,a={name},\1auth=Basic x\1\1", f"n,a={name},\1\1", f"n,a={name},\1auth=\1\1",
                   f"n,b={name},\1auth=Bearer good\1\1", f"n,a={name},a=bob@auth.test,\1auth=Bearer good\1\1",
                   f"nonsense,a={name},\1auth=Bearer good\1\1", "\1auth=Bearer good\1\1", "\1", "", "n", "n,a",
                   "n,a=x,"]
    with state["pair"].together():
        state["pair"].logins([(sasl.Script(mechanism, message), {"initial": initial})
                              for mechanism, messages in (("XOAUTH2", xoauth2), ("OAUTHBEARER", oauthbearer))
                              for message in messages for initial in (True, False)])
    # A token that would end its header: both refuse it, with other words.
    for token in ("a\r\nX-Evil: y", "a\0b", "a\tb"):
        reply = state["pair"].culver.auth().login(sasl.XOAuth2(name, token))
        assert reply.kind == "FAIL" and not reply.steps, reply


def test_what_a_client_hears_whose_token_is_refused():
    known(email=user("auth"), active=False)
    for kind, message in ((sasl.XOAuth2, '{"status":"401","schemes":"bearer","scope":"mail","openid-configuration":'),
                          (sasl.OAuthBearer, '{"status":"invalid_token","openid-configuration":')):
        for dummy in (b"", b"\1", b"whatever", kind(user("auth"), "other").initial()):
            login = kind(user("auth"), "bad")
            login.respond = lambda challenge, dummy=dummy: dummy
            reply = state["pair"].login(login)
            assert reply.steps[0].startswith(message) and reply.kind == "FAIL", reply


def test_a_dead_and_a_slow_service_are_temporary_failures():
    with state["pair"].together():
        assert both("dead").get("code") == "temp_fail"
        assert both("otherca").get("code") == "temp_fail"

    culver = state["pair"].culver.auth()
    for _ in range(5):  # a machine that stands still for seconds spoils the order
        with Held(lambda request: (200, {"email": user("slow")})) as held:
            state["answer"] = lambda request: held(request) if request.path == "/slow" else (200,
                                                                                             {"email": user("post")})
            ids = [culver.start(sasl.XOAuth2(user("slow"), f"token{number}")) for number in range(4)]
            wait_for(lambda: len(held.waiting) == 4, "all of them are asked about")
            assert culver.login(sasl.XOAuth2(user("post"), "t")).kind == "OK"
            first = not any(culver.has_heard_of(id) for id in ids)
            for id in ids:
                assert culver.finish(sasl.XOAuth2("", ""), id).get("code") == "temp_fail"
        if first:
            break
    else:
        raise AssertionError("a slow service holds up another one")
    known(email=user("slow"))
    assert one("slow").kind == "OK", "it answers again: so do we"


def test_a_service_that_comes_back():
    known(email=user("auth"))
    web = state["web"]
    web.down()
    try:
        assert both("auth").get("code") == "temp_fail"
    finally:
        web.up()
    assert both("auth").kind == "OK"

    def cut(request):
        raise Cut
    state["answer"] = cut
    assert state["pair"].culver.auth().login(sasl.XOAuth2(user("auth"), "t")).get("code") == "temp_fail"
    known(email=user("auth"))
    assert both("auth").kind == "OK"


def test_json_that_is_made_to_hurt():
    culver = state["pair"].culver.auth()
    for text in ("[" * 100000, '{"a":' * 100000, '{"email":"' + "x" * 100000 + '"}',
                 "{" + ",".join(f'"k{n}":1' for n in range(5000)) + "}", '{"n":' + "9" * 100000 + "}", "\0" * 1000,
                 '{"email":"\\ud800"}', b'{"email":"\xff"}'):
        replies(200, text)
        assert culver.login(sasl.XOAuth2(user("post"), "t")).get("code") == "temp_fail", text[:40]
    known(email=user("post"))
    assert culver.login(sasl.XOAuth2(user("post"), "t")).kind == "OK"


def test_lookups_are_not_possible():
    state["pair"].passdb(user("auth"))


def test_what_the_log_says():
    known(email=user("auth", "bob"))
    state["pair"].culver.new_log()
    one("auth", "SECRETTOKEN")
    log = state["pair"].culver.new_log()
    line = f"oauth2({user('auth')}): oauth2 failed: Introspection failed: Username '{user('auth')}' did not match '{user('auth', 'bob')}'"
    assert line in log, log
    one("dead", "SECRETTOKEN")
    wait_for(lambda: "oauth2 failed: Introspection failed: http://127.0.0.1:1/introspect:" in state["pair"].culver.log(),
             "the log names the service")
    assert "SECRETTOKEN" not in state["pair"].culver.log()


def test_every_accepted_difference_is_real():
    assert not state["pair"].unused(), state["pair"].unused()


def test_configurations_that_cannot_work():
    """Dovecot's auth does not start with them either."""
    pair = state["pair"]
    pair.stop()
    for config, words in (("username_attribute = email", "must be given"),
                          ("introspection_url = http://127.0.0.1:1/\nintrospection_mode = foo",
                           "introspection_mode value"),
                          ("introspection_url = http://127.0.0.1:1/\nfoo = bar", "foo"),
                          ("introspection_mode = local", "must be given"),
                          ("introspection_mode = local\ntokeninfo_url = http://127.0.0.1:1/",
                           "local_validation_key_dict"),
                          ("introspection_url = ftp://127.0.0.1/", "introspection_url"),
                          ("introspection_url = http://127.0.0.1:1/\nuse_grant_password = maybe",
                           "use_grant_password")):
        private.install_file("/etc/pair/broken.conf", config + "\n")
        peer = pair.culver
        peer.write_config("base_dir = @BASE@\nlog_path = @LOG@\nprotocols =\nssl = no\nauth_mechanisms = oauthbearer\n"
                          "passdb {\n  driver = oauth2\n  args = /etc/pair/broken.conf\n}\n")
        peer.new_log()
        peer.start(check=False)
        with contextlib.suppress(OSError, AssertionError):
            peer.new_auth().close()  # authd starts when somebody comes
        wait_for(lambda: words in peer.log() and "broken.conf" in peer.log(), f"{words}: {peer.log()[-1000:]}")
        peer.stop()
        os.unlink(peer.log_path)
        peer.log_mark = 0


CLEANUP = [lambda: state["pair"].stop()]

if __name__ == "__main__":
    case.main(globals())
