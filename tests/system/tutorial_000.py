#!/usr/bin/env python3
"""Seed tutorial 000: system users through PAM, Postfix's own delivery into ~/Maildir, SASL on the submission port."""

import imaplib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private
from harness.mail import Connection, make_certificate, swaks
from harness.postfix import Postfix
from harness.server import Server, wait_for
from harness.world import World

LOCAL_CONF = """
ssl = required
ssl_cert = </etc/ssl/dovecot/dovecot.crt
# Do not forget to make /etc/ssl/dovecot/dovecot.key only readable by root
ssl_key = </etc/ssl/dovecot/dovecot.key

# DH parameters generated with:
# openssl dhparam -out /usr/share/dovecot/dh.pem 4096
ssl_dh = </usr/share/dovecot/dh.pem

# Disable plaintext authentication
disable_plaintext_auth = yes

# Authenticate using PAM
auth_mechanisms = plain
userdb {
  driver = passwd
}
passdb {
  driver = pam
}

# Use Maildir
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  #location =
  #prefix =
  separator = /
}

# Create a socket to use dovecot authentication in postfix
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
log_path = /var/log/dovecot.log
"""
DOVECOT_CONF = "protocols = imap\n#!include conf.d/*.conf\n!include_try local.conf\n"
MAIN_CF = """
myhostname = mailhost.maildomain.test
mydestination = $myhostname, localhost
mynetworks = 127.0.0.1/32
home_mailbox = Maildir/
recipient_delimiter = +
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
smtpd_tls_cert_file = /etc/ssl/dovecot/dovecot.crt
smtpd_tls_key_file = /etc/ssl/dovecot/dovecot.key
smtpd_tls_security_level = may
"""
MASTER_CF = """
submission inet n       -       -       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_wrappermode=no
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_mynetworks,permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=private/auth
"""
DH = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
OUTSIDE = "127.0.0.9"
server = Server(log=False)
state = {}


def test_the_server_and_postfix_start():
    World()
    private.add_user("anna", uid=1100, password="anna's pass:word")
    private.add_user("bert", uid=1101, password="other")
    make_certificate("/etc/ssl/dovecot/dovecot.crt", "/etc/ssl/dovecot/dovecot.key")
    private.install_file("/usr/share/dovecot/dh.pem", DH)
    private.install_file("/etc/dovecot/local.conf", LOCAL_CONF)
    private.install_file("/etc/pam.d/dovecot", "#%PAM-1.0\n@include common-auth\n@include common-account\n"
                                               "@include common-session\n")
    server.write_config(DOVECOT_CONF)
    server.start()
    state["postfix"] = Postfix(MAIN_CF, MASTER_CF)
    state["postfix"].start()


def login(user="anna", password="anna's pass:word"):
    client = imaplib.IMAP4_SSL("127.0.0.1", 993)
    client.login(user, password)
    return client


def test_a_system_user_logs_in_and_sees_a_slash_as_separator():
    client = login()
    assert client.namespace()[1] == [b'(("" "/")) NIL NIL']
    assert client.create("Work/Projects/2026")[0] == "OK"
    assert os.path.isdir("/home/anna/Maildir/.Work.Projects.2026/cur")
    listed = client.list()[1]
    assert b'(\\Noselect \\HasChildren) "/" Work/Projects' in listed, listed
    assert client.subscribe("Work/Projects/2026")[0] == "OK"
    with open("/home/anna/Maildir/subscriptions") as file:
        assert file.read() == "V\t2\n\nWork\tProjects\t2026\n"
    assert os.stat("/home/anna/Maildir").st_uid == 1100
    client.logout()


def test_wrong_password_and_unknown_user_get_the_same_answer():
    answers = set()
    for address, user in (("127.0.1.21", "anna"), ("127.0.1.22", "nobodyhere")):
        connection = Connection(993, tls=True, source=address)
        connection.line()
        answers.add(connection.command(f"a LOGIN {user} wrong")[-1])
    assert answers == {"a NO [AUTHENTICATIONFAILED] Authentication failed."}, answers


def test_root_is_refused_after_the_password():
    private_password = "toor-toor"
    os.system(f"echo 'root:{private_password}' | chpasswd")
    connection = Connection(993, tls=True)
    connection.line()
    connection.send(f"a LOGIN root {private_password}")
    assert connection.line() == "a OK Logged in, but initialization failed."
    assert connection.line() == "* BYE Internal error occurred. Refer to server log for more information."
    server.wait_log(r"userdb returned 0 as uid")


def test_postfix_delivers_into_new_and_an_idle_client_hears_of_it():
    idle = Connection(993, tls=True)
    idle.line()
    idle.command('a LOGIN anna "anna\'s pass:word"')
    idle.command("b SELECT INBOX")
    idle.send("c IDLE")
    assert idle.line() == "+ idling"
    code, text = swaks("--server", "127.0.0.1", "--local-interface", OUTSIDE, "--from", "extuser@extdomain.test",
                       "--to",
                       "anna@mailhost.maildomain.test", "--header", "Subject: local", "--body", "for anna")
    assert code == 0, text
    assert idle.line() == "* 1 EXISTS"
    assert idle.line() == "* 1 RECENT"
    idle.send("DONE")
    assert idle.until("c")[-1].startswith("c OK Idle completed")
    idle.close()


def test_a_message_of_postfix_keeps_its_name_and_gets_flags_and_keywords_in_dovecots_files():
    client = login()
    client.select("INBOX")
    assert client.store("1", "+FLAGS", "(\\Flagged \\Answered $Label1)")[0] == "OK"
    client.logout()
    cur = "/home/anna/Maildir/cur"
    name = wait_for(lambda: next((n for n in os.listdir(cur) if n.endswith(":2,FRSa") or n.endswith(":2,FRa")), None),
                    f"the flags stand in the file name: {os.listdir(cur)}")
    assert re.match(r"\d+\.V[0-9a-f]+I[0-9a-f]+M\d+\.\S+:2,", name), name
    with open("/home/anna/Maildir/dovecot-keywords") as file:
        assert file.read() == "0 $Label1\n"
    with open("/home/anna/Maildir/dovecot-uidlist") as file:
        header, line = file.read().splitlines()
    assert re.match(r"3 V\d+ N\d+ G[0-9a-f]{32}$", header), header
    assert line == "1 :" + name.split(":")[0], line


def test_plus_addressing_reaches_the_user():
    code, text = swaks("--server", "127.0.0.1", "--local-interface", OUTSIDE, "--from", "extuser@extdomain.test",
                       "--to",
                       "anna+lists@mailhost.maildomain.test", "--header", "Subject: plus")
    assert code == 0, text

    def look():
        client = login()
        client.select("INBOX")
        return client.search(None, "SUBJECT", "plus")[1][0]
    wait_for(look, "the message arrives")


def test_submission_with_pam_passwords():
    common = ["--server", "127.0.0.1:587", "--from", "anna@mailhost.maildomain.test", "--to", "extuser@extdomain.test",
              "--tls", "--auth-user", "anna"]
    code, text = swaks(*common, "--local-interface", OUTSIDE, "--auth", "PLAIN", "--auth-password", "anna's pass:word")
    assert code == 0 and "235 2.7.0" in text, text
    code, text = swaks(*common, "--local-interface", "127.0.0.61", "--auth", "PLAIN", "--auth-password", "no")
    assert code != 0 and "535 5.7.8" in text, text


CLEANUP = [lambda: state.get("postfix") and state["postfix"].stop(), server.stop]

if __name__ == "__main__":
    case.main(globals())
