#!/usr/bin/env python3
"""Tokens end to end: curl and Python's smtplib with OAUTHBEARER and XOAUTH2, at the IMAP ports and through a Postfix
that asks authd. Holds for Debian's Dovecot too (CULVER_SERVER=dovecot)."""

import base64
import os
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, jwt, private, simple
from harness.mail import Connection
from harness.postfix import Postfix
from harness.server import port_is_open, wait_for
from harness.simple import PASSWORD, USER
from harness.webserver import WebServer

REJECTED = {"OAUTHBEARER": '{"status":"invalid_token"}',
            "XOAUTH2": '{"status":"401","schemes":"bearer","scope":"mail"}'}
DUMMY = {"OAUTHBEARER": "AQ==", "XOAUTH2": ""}
LOCAL_USER = "local@example.test"
CONFIG = f"""auth_mechanisms = plain oauthbearer xoauth2
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2 plain
  username_filter = !local@*
  args = /etc/dovecot/oauth2.conf
}}
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2 plain
  username_filter = local@*
  args = /etc/dovecot/jwt.conf
}}
service auth {{
  unix_listener /var/spool/postfix/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""
POSTFIX = """myhostname = mailhost.maildomain.test
mydestination =
mynetworks =
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_security_options = noanonymous
"""
state = {}


def answer(request):
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token == "broken":
        return 500, "x"
    return 200, {"active": token.startswith("good"), "email": USER}


def test_start():
    state["web"] = WebServer(answer)
    private.install_file("/etc/dovecot/oauth2.conf", f"introspection_url = {state['web'].url}/\n")
    private.install_file("/etc/dovecot/jwt.conf", "introspection_mode = local\nusername_attribute = sub\n"
                         "local_validation_key_dict = fs:posix:prefix=/etc/dovecot/keys/\n")
    state["key"] = jwt.Key("RS256")
    state["key"].install("/etc/dovecot/keys/default/RS256/default")
    state["server"] = simple.start(CONFIG, users=())
    state["postfix"] = Postfix(POSTFIX)
    state["postfix"].start()
    wait_for(lambda: port_is_open(25), "Postfix's port")


def message(mechanism, token, user=USER):
    text = (f"user={user}\1auth=Bearer {token}\1\1" if mechanism == "XOAUTH2" else
            f"n,a={user},\1host=localhost\1port=143\1auth=Bearer {token}\1\1")
    return base64.b64encode(text.encode()).decode()


def imap(mechanism, token, initial, user=USER, **options):
    """(connection, its last line, what it was challenged with)"""
    client = Connection(options.pop("port", 143), **options)
    client.line()
    if initial:
        client.send(f"a AUTHENTICATE {mechanism} {message(mechanism, token, user)}")
    else:
        client.send(f"a AUTHENTICATE {mechanism}")
        assert client.line().strip() == "+"
        client.send(message(mechanism, token, user))
    challenge, line = None, client.line()
    while line is not None and not line.startswith("a "):
        if line.startswith("+ "):
            challenge = base64.b64decode(line[2:]).decode()
            client.send(DUMMY[mechanism])
        line = client.line()
    return client, line, challenge


def test_imap_with_and_without_an_initial_response():
    for mechanism in REJECTED:
        for initial in (True, False):
            for options in ({}, {"port": 993, "tls": True}):
                client, line, challenge = imap(mechanism, "good", initial, **options)
                assert line.startswith("a OK") and challenge is None, (mechanism, initial, line)
                assert client.command("b SELECT INBOX")[-1].startswith("b OK")
                client.close()
        state["server"].wait_log(rf"Login: user=<{USER}>, method={mechanism}, ")


def test_imap_hears_why_a_token_is_refused():
    for mechanism, words in REJECTED.items():
        for initial in (True, False):
            client, line, challenge = imap(mechanism, "bad", initial)
            assert challenge == words and line.startswith("a NO [AUTHENTICATIONFAILED]"), (challenge, line)
            # The connection lives on.
            client.send(f"b AUTHENTICATE {mechanism} {message(mechanism, 'good')}")
            while not (line := client.line()).startswith("b "):
                pass
            assert line.startswith("b OK"), line
            client.close()
        client, line, challenge = imap(mechanism, "broken", True)
        assert challenge is None and line.startswith("a NO [UNAVAILABLE]"), (challenge, line)
        client.close()


def test_a_token_of_two_kilobytes():
    token = jwt.make(state["key"], {"sub": LOCAL_USER, "groups": ["x" * 40] * 40})
    assert len(token) > 2000
    for mechanism in REJECTED:
        for initial in (True, False):
            client, line, challenge = imap(mechanism, token, initial, LOCAL_USER)
            assert line.startswith("a OK"), (mechanism, initial, line, challenge)
            client.close()
    client = Connection(143)
    client.line()
    plain = base64.b64encode(f"\0{LOCAL_USER}\0{token}".encode()).decode()
    assert client.command(f"a AUTHENTICATE PLAIN {plain}")[-1].startswith("a OK"), "PLAIN with the token as password"
    client.close()
    client, line, challenge = imap("XOAUTH2", token[:-9] + "AAAAAAAAA", True, LOCAL_USER)
    assert line.startswith("a NO [AUTHENTICATIONFAILED]"), line
    client.close()


def test_passwords_still_work_beside_tokens():
    """A passdb behind oauth2 is asked when that does not know the password."""
    users = "/etc/dovecot/users"
    private.install_file(users, f"{USER}:{PASSWORD}\n")
    client = Connection(143)
    client.line()
    assert client.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK")
    client.close()
    private.install_file(users, "")


def curl(url, mechanism, token):
    return subprocess.run(["curl", "-sS", "--max-time", "60", "--url", url, "--user", USER, "--oauth2-bearer", token,
                           "--login-options", f"AUTH={mechanism}"] + (["-X", "NOOP"] if url.startswith("smtp") else []),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_curl():
    for mechanism in REJECTED:
        for url in ("imap://127.0.0.1/", "smtp://127.0.0.1/"):
            result = curl(url, mechanism, "good")
            assert result.returncode == 0, (mechanism, url, result)
            result = curl(url, mechanism, "bad")
            assert result.returncode == 67, (mechanism, url, result)  # CURLE_LOGIN_DENIED


def test_smtp_through_postfix():
    for mechanism, words in REJECTED.items():
        with smtplib.SMTP("127.0.0.1", 25, timeout=60) as client:
            client.ehlo()
            assert mechanism in client.esmtp_features["auth"].split(), client.esmtp_features
            assert client.docmd("AUTH", f"{mechanism} {message(mechanism, 'bad')}")[0] == 334
            assert client.docmd(DUMMY[mechanism] or "")[0] == 535
            code, challenge = client.docmd("AUTH", mechanism)
            assert (code, challenge) == (334, b""), (code, challenge)
            assert client.docmd(message(mechanism, "good"))[0] == 235
        with smtplib.SMTP("127.0.0.1", 25, timeout=60) as client:
            client.ehlo()
            code, challenge = client.docmd("AUTH", f"{mechanism} {message(mechanism, 'bad')}")
            assert base64.b64decode(challenge).decode() == words, challenge
            assert client.docmd(DUMMY[mechanism])[0] == 535
        with smtplib.SMTP("127.0.0.1", 25, timeout=60) as client:
            client.ehlo()
            assert client.docmd("AUTH", f"{mechanism} {message(mechanism, 'good')}")[0] == 235


CLEANUP = [lambda: state["postfix"].stop(), lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
