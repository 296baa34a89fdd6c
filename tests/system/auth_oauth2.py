#!/usr/bin/env python3
"""OAuth 2.0 logins beside Debian's Dovecot: the same tokens to both, asked about at the same web services, and the same
JSON Web Tokens checked with the same keys."""

import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, jwt, private, sasl
from harness.authpair import Accepted, Pair
from harness.server import wait_for
from harness.webserver import Authority, Cut, WebServer

KEYS = "/etc/pair/keys"
OIDC = "https://id.example.test/.well-known/openid-configuration?a=b"
Pair.ACCEPTED.update({name: Accepted(reason) for name, reason in {
    "token-refused-by-401": "introspection_mode = auth: a 401 is about the token that was shown, and a client that "
                            "hears so fetches a new one; Dovecot calls it a temporary failure",
    "error-status": "an answer with a 4xx status lets nobody in, whatever stands in it",
    "list-of-audiences": "RFC 7662 allows a list of audiences or scopes; Dovecot sees none in it",
    "active-missing": "active_attribute is set and the answer has no such member: refused",
    "aud-is-no-scope": "a token without scope is not let in by its audience (CVE-2026-73208); Dovecot only warns",
    "clock-skew": "nbf and iat may be up to 60 seconds ahead",
    "fraction": "RFC 7519 allows fractions of seconds",
    "access-token-type": "RFC 9068 tokens have typ at+jwt",
    "twice": "a member that stands twice in a token makes it void",
    "eddsa": "Dovecot has no EdDSA",
    "large-curves": "good tokens by ES384 and ES512 are taken; Dovecot finds their signatures bad",
    "short-rsa": "RSA keys below 2048 bits are refused (RFC 7518)",
}.items()})
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
    "attrs": "introspection_url = @URL@/introspect\npass_attrs = host=%{oauth2:host} proxy=y pass=%{oauth2:access_token}"
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
    "slow": "introspection_url = @URL@/slow\ntimeout_msecs = 700",
    "tls": "introspection_url = @TLS@/introspect\ntls_ca_cert_file = /etc/pair/ca/ca.pem",
    "otherca": "introspection_url = @TLS@/introspect\ntls_ca_cert_file = /etc/pair/otherca/ca.pem",
    "local": "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix=@KEYS@/\nusername_attribute = sub",
    "client": "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix=@KEYS@/\n"
              "username_attribute = sub\nclient_id = mailclient",
    "strict": "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix=@KEYS@/\n"
              "username_attribute = sub\nscope = mail imap\naudience = mailserver\nissuers = https://a https://b",
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
    os.makedirs(KEYS)
    text = "auth_mechanisms = plain login xoauth2 oauthbearer\n"
    for name, config in CONFIGS.items():
        for key, value in (("@URL@", web.url), ("@TLS@", state["tls"].url), ("@KEYS@", KEYS),
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
        for scope, kind in (("mail imap", "OK"), ("x imap mail", "OK"), ("mail", "FAIL"), ("imap", "FAIL"), ("", "FAIL"),
                            ("mailimap", "FAIL"), ("mail,imap", "FAIL")):
            known(email=user("scope"), scope=scope, aud="mail imap")
            assert both("scope").kind == kind, scope
        known(email=user("scope"))
        assert both("scope").kind == "FAIL"
        for audience, kind in (("mailserver", "OK"), ("mail", "FAIL"), ("mailserver2", "FAIL"), ("a mailserver", "FAIL")):
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
               f"auth=Bearer good\1user={name}\1\1", f"user={name}\1auth=Bearer good", f"user={name}\1auth=Basic good\1\1",
               f"user={name}\1\1", "auth=Bearer good\1\1", "user=\1auth=Bearer good\1\1", f"user={name}\1auth=Bearer \1\1",
               f"user={name}\1auth=Bearer go od\1\1", f"user={name}\1auth=Bearer a.b-c_d~e+f/g==\1\1",
               f"user={name}\1x=y\1auth=Bearer good\1\1", f"user=bob@auth.test\1user={name}\1auth=Bearer good\1\1",
               f"user={name}\1auth=Bearer a\1auth=Bearer good\1\1", f"user={name}\1auth=Bearer good\1\1more",
               f"user={name}\1auth=Bearer good\1auth=Basic x\1\1", "junk", "", "\1", "\1\1\1",
               f"USER={name}\1AUTH=Bearer good\1\1", f"user={name}\1auth=Bearer\1\1", f"user=a'b@auth.test\1auth=Bearer x\1\1"]
    oauthbearer = [f"n,a={name},\1auth=Bearer good\1\1", f"y,a={name},\1auth=Bearer good\1\1",
                   f"p=tls-unique,a={name},\1auth=Bearer good\1\1", f"f,n,a={name},\1auth=Bearer good\1\1",
                   "n,,\1auth=Bearer good\1\1", "n,a=,\1auth=Bearer good\1\1", "n,a=alice=40auth.test,\1auth=Bearer x\1\1",
                   "n,a=al=2Cice,\1auth=Bearer good\1\1", "n,a=al=3Dice,\1auth=Bearer good\1\1",
                   "n,a=al=2cice,\1auth=Bearer good\1\1", "n,a=al=,\1auth=Bearer good\1\1",
                   f"n,a={name}\1auth=Bearer good\1\1", f"a={name},\1auth=Bearer good\1\1",
                   f"n,a={name},x=y\1auth=Bearer good\1\1", f"n,a={name},\1host=h\1port=1\1auth=Bearer good\1\1",
                   f"n,a={name},\1auth=Basic x\1\1", f"n,a={name},\1\1", f"n,a={name},\1auth=\1\1",
                   f"n,b={name},\1auth=Bearer good\1\1", f"n,a={name},a=bob@auth.test,\1auth=Bearer good\1\1",
                   f"nonsense,a={name},\1auth=Bearer good\1\1", "\1auth=Bearer good\1\1", "\1", "", "n", "n,a", "n,a=x,"]
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

    def slow(request):
        time.sleep(3)
        return 200, {"email": user("slow")}
    state["answer"] = slow
    state["seen"].clear()
    culver = state["pair"].culver.auth()
    start = time.monotonic()
    ids = [culver.start(sasl.XOAuth2(user("slow"), f"token{number}")) for number in range(4)]
    wait_for(lambda: sum(request.path == "/slow" for request in state["seen"]) == 4, "all of them are asked about", 0.5)
    known(email=user("post"))
    assert culver.login(sasl.XOAuth2(user("post"), "t")).kind == "OK"
    assert time.monotonic() - start < 0.6, "a slow service holds up another one"
    for id in ids:
        assert culver.finish(sasl.XOAuth2("", ""), id).get("code") == "temp_fail"
    assert time.monotonic() - start < 1.5
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


def key_of(algorithm, **options):
    keys = state.setdefault("keys", {})
    if algorithm not in keys:
        keys[algorithm] = jwt.Key(algorithm, **options)
        keys[algorithm].install(f"{KEYS}/default/{algorithm.upper()}/default")
    return keys[algorithm]


def check(rows, domain="local"):
    """Many tokens at once: (token, what Culver and, unless a difference is named, Dovecot say[, the difference])."""
    logins = [(sasl.OAuthBearer(user(domain), row[0]), {"accept": row[2] if len(row) > 2 else None}) for row in rows]
    with state["pair"].together():
        replies = state["pair"].logins(logins)
    for row, reply in zip(rows, replies):
        assert reply.kind == row[1], (row, reply)


def token_of(claims, header=None, algorithm="HS256", domain="local", **options):
    return jwt.make(key_of(algorithm), {"sub": user(domain), **claims}, header, **options)


def test_tokens_by_each_algorithm():
    rows = []
    for algorithm in jwt.ALGORITHMS:
        token = token_of({}, algorithm=algorithm)
        rows.append((token, "OK", {"EdDSA": "eddsa", "ES384": "large-curves", "ES512": "large-curves"}.get(algorithm)))
        start, _, signature = token.rpartition(".")
        for spoilt in (start + ".", start, token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB"),
                       start + "." + signature[::-1], start + "." + jwt.b64url(b"\0" * 64)):
            rows.append((spoilt, "FAIL"))
        # The same key, another user's name.
        other = jwt.make(key_of(algorithm), {"sub": user("local", "bob")})
        rows += [(other.rpartition(".")[0] + "." + signature, "FAIL"), (other, "FAIL")]
    check(rows)


def test_plain_takes_a_long_token():
    token = jwt.make(key_of("RS256"), {"sub": user("local"), "groups": ["x" * 40] * 40})
    assert len(token) > 2000
    for kind in (sasl.Plain, sasl.Login):
        assert state["pair"].login(kind(user("local"), token)).kind == "OK"


def test_no_algorithm_takes_another_ones_key():
    """alg none, and an RSA key as the secret of an HMAC."""
    rsa = key_of("RS256")
    rows = []
    for algorithm in ("none", "None", "NONE", "nOnE", "", "HS1", "RS1", "HS256 ", "../HS256", "ES256K"):
        for signature in (b"", b"x"):
            rows.append((jwt.make(rsa, {"sub": user("local")}, algorithm=algorithm, signature=signature), "FAIL"))
    for name in ("none", "NONE"):
        key_of("HS256").install(f"{KEYS}/default/{name}/default")
    rows.append((token_of({}, {"alg": "none"}), "FAIL"))
    for secret in (rsa.public, rsa.public.strip()):
        forged = jwt.make(jwt.Key("HS256", secret=secret), {"sub": user("local")})
        rows.append((forged, "FAIL"))
        rsa.install(f"{KEYS}/default/HS256/rsa")
        forged = jwt.make(jwt.Key("HS256", secret=secret), {"sub": user("local")}, {"kid": "rsa"})
        reply = state["pair"].culver.auth().login(sasl.OAuthBearer(user("local"), forged))
        assert reply.get("code") == "temp_fail", reply
    for algorithm, kind in (("ES256", "RS256"), ("RS256", "ES256"), ("ES256", "ES384"), ("PS256", "ES256")):
        key_of(kind).install(f"{KEYS}/default/{algorithm}/wrongkind")
        token = jwt.make(key_of(algorithm), {"sub": user("local")}, {"kid": "wrongkind"})
        reply = state["pair"].culver.auth().login(sasl.OAuthBearer(user("local"), token))
        assert reply.kind == "FAIL", (algorithm, kind, reply)
    check(rows)
    short = jwt.Key("RS256", bits=1024)
    short.install(f"{KEYS}/default/RS256/short")
    token = jwt.make(short, {"sub": user("local")}, {"kid": "short"})
    assert one("local", token, accept="short-rsa").get("code") == "temp_fail"


def test_cve_2021_29157_names_in_a_token_are_no_paths():
    key = key_of("HS256")
    evil = jwt.Key("HS256")
    evil.install("/etc/pair/evil")
    evil.install(f"{KEYS}/evil")
    rows = []
    for kid in ("../../../evil", "../../evil", "/etc/pair/evil", "..", ".", "", "a/../default", "default/", "x" * 5000,
                "default\0", "%2e%2e%2fevil", "..%2fevil", "\n", "../default/HS256/default"):
        for claims, header in (({}, {"kid": kid}), ({"azp": kid}, {})):
            for by in (evil, key):
                rows.append((jwt.make(by, {"sub": user("local"), **claims}, header), "FAIL"))
    # What may be a name is found: an issuer's URL, dots and all.
    for azp, kid, path in (("https://id.test/a%b", "k.1-2_3", "https:%2f%2fid.test%2fa%25b/HS256/k.1-2_3"),
                           ("issuer.net-dovecot", "Zm9vb2Jhcgo", "issuer.net-dovecot/HS256/Zm9vb2Jhcgo")):
        key.install(f"{KEYS}/{path}")
        rows.append((token_of({"azp": azp}, {"kid": kid}), "OK"))
    check(rows + [(token_of({}, {"kid": "nosuch"}), "FAIL"), (token_of({"azp": "nosuch"}), "FAIL")])


def test_times_of_a_token():
    now = int(time.time())
    rows = [(token_of(claims), kind) for claims, kind in (
        ({"exp": now + 90}, "OK"), ({"exp": now - 5}, "FAIL"), ({"exp": None}, "FAIL"), ({"exp": "x"}, "FAIL"),
        ({"exp": -5}, "FAIL"), ({"exp": 10 ** 30}, "FAIL"), ({"exp": 0}, "FAIL"), ({"exp": str(now + 90)}, "OK"),
        ({"exp": True}, "FAIL"), ({"exp": [now + 90]}, "FAIL"), ({"nbf": now - 1}, "OK"), ({"nbf": now + 300}, "FAIL"),
        ({"nbf": "x"}, "FAIL"), ({"nbf": 0}, "OK"), ({"iat": now - 1}, "OK"), ({"iat": now + 300}, "FAIL"),
        ({"iat": "x"}, "FAIL"), ({"iat": now - 9, "exp": now - 5}, "FAIL"))]
    check(rows + [(token_of({"iat": now + 50}), "OK", "clock-skew"), (token_of({"nbf": now + 50}), "OK", "clock-skew"),
                  (token_of({"exp": now + 90.5}), "OK", "fraction")])


def test_the_shape_of_a_token():
    rows = [(token_of({}, header), "FAIL") for header in ({"typ": None}, {"typ": "jws"}, {"alg": None}, {"kid": ""},
                                                          {"typ": 5}, {"alg": 5})]
    rows += [(token_of({"sub": None}), "FAIL"), (token_of({"sub": user("local", "bob")}), "FAIL")]
    good = token_of({})
    rows += [(token, "FAIL") for token in (
        "x", "a.b.c", "..", ".", good + ".", good + ".x", "." + good, good.replace(".", ""), good.rpartition(".")[0],
        "%" + good, good[1:])]
    key = key_of("HS256")
    claims = '{"sub":"bob@local.test","sub":"%s","exp":%d}' % (user("local"), time.time() + 600)
    text = jwt.b64url(b'{"typ":"JWT","alg":"HS256"}') + "." + jwt.b64url(claims.encode())
    check(rows + [(token_of({}, {"typ": "at+jwt"}), "OK", "access-token-type"),
                  (text + "." + jwt.b64url(key.sign(text.encode())), "FAIL", "twice")])
    huge = token_of({"x": "y" * 7000})
    assert state["pair"].culver.auth().login(sasl.OAuthBearer(user("local"), huge)).kind == "FAIL"


def test_cve_2026_40205_every_rule_holds_by_itself():
    good = {"scope": "mail x imap", "aud": "mailserver", "iss": "https://a"}
    rows = [(token_of({**good, **change}, domain="strict"), "OK")
            for change in ({}, {"aud": ["y", "mailserver"], "iss": "https://b"})]
    rows += [(token_of({**good, **wrong}, domain="strict"), "FAIL") for wrong in (
        {"scope": "mail"}, {"scope": "imap"}, {"scope": None}, {"scope": ""}, {"aud": None}, {"aud": "x"},
        {"aud": ["x", "y"]}, {"iss": None}, {"iss": ""}, {"iss": "https://c"}, {"iss": "https://a https://b"},
        {"scope": None, "aud": "mail imap"}, {"aud": None, "scope": "mail imap mailserver"})]
    check(rows, "strict")
    check([(token_of(claims, domain="client"), kind) for claims, kind in (
        ({"aud": "mailclient"}, "OK"), ({"aud": ["x", "mailclient"]}, "OK"), ({}, "FAIL"), ({"aud": "x mailclient"}, "FAIL"),
        ({"azp": "mailclient"}, "FAIL"), ({"aud": []}, "FAIL"))], "client")


def test_keys_can_be_changed_without_a_restart():
    first, second = jwt.Key("HS256"), jwt.Key("HS256")
    culver = state["pair"].culver.auth()
    path = f"{KEYS}/default/HS256/turns"

    def kind(key):
        token = jwt.make(key, {"sub": user("local")}, {"kid": "turns"})
        return culver.login(sasl.OAuthBearer(user("local"), token)).kind
    first.install(path)
    assert (kind(first), kind(second)) == ("OK", "FAIL")
    second.install(path + ".new")
    os.rename(path + ".new", path)
    assert (kind(first), kind(second)) == ("FAIL", "OK")
    os.unlink(path)
    assert kind(second) == "FAIL"


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
    ours = {"token-refused-by-401", "error-status", "list-of-audiences", "active-missing", "aud-is-no-scope", "clock-skew",
            "fraction", "access-token-type", "twice", "eddsa", "large-curves", "short-rsa"}
    assert not ours & set(state["pair"].unused()), state["pair"].unused()


def test_configurations_that_cannot_work():
    """Dovecot's auth does not start with them either."""
    pair = state["pair"]
    pair.stop()
    for config, words in (("username_attribute = email", "must be given"),
                          ("introspection_url = http://127.0.0.1:1/\nintrospection_mode = foo", "introspection mode"),
                          ("introspection_url = http://127.0.0.1:1/\nfoo = bar", "foo"),
                          ("introspection_mode = local", "must be given"),
                          ("introspection_mode = local\ntokeninfo_url = http://127.0.0.1:1/", "local_validation_key_dict"),
                          ("introspection_url = ftp://127.0.0.1/", "introspection_url"),
                          ("introspection_url = http://127.0.0.1:1/\nuse_grant_password = maybe", "use_grant_password")):
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
