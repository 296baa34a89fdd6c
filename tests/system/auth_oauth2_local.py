#!/usr/bin/env python3
"""JSON Web Tokens that are checked with local keys, beside Debian's Dovecot: the same tokens and the same keys for
both. Tokens that a web service is asked about: auth_oauth2.py."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, jwt, private, sasl
from harness.authpair import Accepted, Pair

KEYS = "/etc/pair/keys"
Pair.ACCEPTED.update({name: Accepted(reason) for name, reason in {
    "clock-skew": "nbf and iat may be up to 60 seconds ahead",
    "fraction": "RFC 7519 allows fractions of seconds",
    "access-token-type": "RFC 9068 tokens have typ at+jwt",
    "twice": "a member that stands twice in a token makes it void",
    "eddsa": "Dovecot has no EdDSA",
    "large-curves": "good tokens by ES384 and ES512 are taken; Dovecot finds their signatures bad",
    "short-rsa": "RSA keys below 2048 bits are refused (RFC 7518)",
}.items()})
LOCAL = f"introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={KEYS}/\nusername_attribute = sub\n"
# name -> what is added to that; users are somebody@<name>.test
CONFIGS = {
    "local": "",
    "client": "client_id = mailclient\n",
    "strict": "scope = mail imap\naudience = mailserver\nissuers = https://a https://b\n",
}
state = {}


def user(domain, name="alice"):
    return f"{name}@{domain}.test"


def test_start():
    os.makedirs(KEYS)
    text = "auth_mechanisms = plain login xoauth2 oauthbearer\n"
    for name, more in CONFIGS.items():
        private.install_file(f"/etc/pair/{name}.conf", LOCAL + more)
        text += f"passdb {{\n  driver = oauth2\n  username_filter = *@{name}.test\n  args = /etc/pair/{name}.conf\n}}\n"
    state["pair"] = Pair(text)


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
    reply = state["pair"].login(sasl.OAuthBearer(user("local"), token), accept="short-rsa")
    assert reply.get("code") == "temp_fail", reply


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
        ({"aud": "mailclient"}, "OK"), ({"aud": ["x", "mailclient"]}, "OK"), ({}, "FAIL"),
        ({"aud": "x mailclient"}, "FAIL"),
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


def test_every_accepted_difference_is_real():
    assert not state["pair"].unused(), state["pair"].unused()


CLEANUP = [lambda: state["pair"].stop()]

if __name__ == "__main__":
    case.main(globals())
