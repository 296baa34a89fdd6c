#!/usr/bin/env python3
"""Seed tutorial 001: Postfix and Dovecot from scratch, step by step, with the mistakes it makes on purpose."""

import imaplib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private
from harness.mail import Connection, make_certificate, make_message, swaks
from harness.postfix import Postfix
from harness.server import IS_CULVER, Server, port_is_open, wait_for
from harness.world import World

USER = "mailuser@maildomain.test"
HASH = "$6$g6adDoglZXU5CJq1$AMojgOJQPtdEEGt1MW86YZUDMlf1Wi6QLz6RH.7BHJpNzjQmYpRmP./IN0eRP8.eLAmEcnoRtzrS1jonKQT9k/"
PASSDB = "passdb {\n  driver = passwd-file\n  args = scheme=PLAIN /etc/dovecot/users.db\n}\n"
IDENTITY = "mail_gid = vmail\nmail_uid = vmail\n"
LOCATION = "mail_home = /var/vmail/%d/%n\nmail_location = maildir:~/mail\n"
SSL = "ssl = required\nssl_cert = </etc/dovecot/dovecot.pem\nssl_key = </etc/dovecot/private/dovecot.pem\n"
LMTP = """service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    user = postfix
    group = postfix
    mode = 0600
  }
}
postmaster_address = postmaster@maildomain.test
hostname = mailhost
"""
AUTH = """service auth {
  unix_listener /var/spool/postfix/private/auth {
    user = postfix
    group = postfix
    mode = 0600
  }
}
"""
FINAL = ("protocols = imap lmtp\npassdb {\n  driver = passwd-file\n  args = scheme=SHA512-CRYPT "
         "/etc/dovecot/users.db\n}\n"
         + IDENTITY + LOCATION + SSL + LMTP + AUTH)
MAIN_CF = """
mydomain = maildomain.test
myhostname = mailhost.$mydomain
myorigin = $myhostname
mydestination = $myhostname
mynetworks = 127.0.0.1/32
virtual_mailbox_domains = maildomain.test
virtual_transport = lmtp:unix:private/dovecot-lmtp
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/dovecot/dovecot.pem
smtpd_tls_key_file = /etc/dovecot/private/dovecot.pem
smtpd_tls_auth_only = yes
smtpd_helo_required = yes
smtpd_recipient_restrictions =
    permit_mynetworks,
    reject_unknown_recipient_domain,
    permit_sasl_authenticated,
    reject_unauth_pipelining,
    reject_unauth_destination,
    reject_unknown_client_hostname,
    reject_unknown_helo_hostname
    reject_unknown_sender_domain
    reject_unverified_recipient,
    permit
broken_sasl_auth_clients = yes
"""
OUTSIDE = "127.0.0.9"

server = Server()
state = {}


def prepare():
    if state:
        return
    state["world"] = World()
    private.add_user("vmail", uid=5000, home="/var/vmail")
    private.install_file("/etc/dovecot/users.db", f"{USER}:123456\n")
    make_certificate("/etc/dovecot/dovecot.pem", "/etc/dovecot/private/dovecot.pem")


def fresh(config):
    """Starts the server anew with this configuration and an empty log."""
    prepare()
    server.stop()
    if os.path.exists(server.LOG):
        os.unlink(server.LOG)
    server.restart(config)


def greeting(**where):
    connection = Connection(143, **where)
    return connection, connection.line()


def test_an_empty_configuration_starts_and_serves_nothing():
    prepare()
    server.write_config("")
    result = server.start()
    assert result.returncode == 0
    assert not port_is_open(143) and not port_is_open(993)
    server.wait_log(r"starting up")
    if IS_CULVER:
        server.wait_log(r"protocols")


def test_protocols_imap_without_a_passdb_opens_both_ports_and_says_auth_process_broken():
    fresh("protocols = imap\n")
    wait_for(lambda: port_is_open(143) and port_is_open(993), "143 and 993 are open")
    server.wait_log(r"No passdbs specified in configuration file")
    connection, line = greeting()
    assert re.match(r"\* BYE (Disconnected: )?Auth process broken", line), line


def test_a_passdb_gives_the_banner_but_login_fails_for_want_of_a_uid():
    fresh("protocols = imap\nssl = no\n" + PASSDB)
    connection, line = wait_for(lambda: (lambda c: c if c[1].startswith("* OK") else None)(greeting()), "a banner")
    assert line == ("* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN] "
                    "Dovecot (Debian) ready.") or (IS_CULVER and re.match(
                        r"\* OK \[CAPABILITY IMAP4rev1 .*LITERAL\+.* AUTH=PLAIN\] Dovecot \(Debian\) "
                        r"ready\.$", line)), line
    connection.send(f"a LOGIN {USER} 123456")
    lines = [connection.line(), connection.line()]
    assert lines[0] == "a OK Logged in, but initialization failed.", lines
    assert lines[1] == "* BYE Internal error occurred. Refer to server log for more information.", lines
    server.wait_log(r"User is missing UID \(see mail_uid setting\)")


def test_with_a_uid_but_no_mail_location_the_session_ends_after_the_login():
    fresh("protocols = imap\nssl = no\n" + PASSDB + IDENTITY)
    connection, _ = greeting()
    connection.send(f"a LOGIN {USER} 123456")
    lines = [connection.line(), connection.line()]
    assert lines[0].startswith("a OK [CAPABILITY IMAP4rev1") and lines[0].endswith("Logged in"), lines
    assert lines[1] == "* BYE Internal error occurred. Refer to server log for more information.", lines
    server.wait_log(r"mail_location not set and autodetection failed")


def test_with_a_location_the_telnet_session_of_the_tutorial_works():
    fresh("protocols = imap\nssl = no\n" + PASSDB + IDENTITY + LOCATION)
    connection, _ = greeting()
    lines = connection.command(f"a LOGIN {USER} 123456")
    assert re.match(r"a OK \[CAPABILITY IMAP4rev1 .*\] Logged in$", lines[-1]), lines
    lines = connection.command('a list "" "*"')
    assert lines[0] == '* LIST (\\HasNoChildren) "." INBOX', lines
    assert re.match(r"a OK List completed \(\d\.\d{3} \+ \d\.\d{3}( \+ \d\.\d{3})? secs\)\.", lines[-1]), lines
    lines = connection.command("a logout")
    assert lines[0] == "* BYE Logging out" and lines[1].startswith("a OK Logout completed"), lines
    server.wait_log(rf"imap-login: Info: Login: user=<{USER}>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, mpid=\d+, "
                    r"secured, session=<\S+>")
    server.wait_log(rf"imap\({USER}\)<\d+><\S+>: Info: Disconnected: Logged out in=\d+ out=\d+ deleted=0 expunged=0")
    assert os.stat("/var/vmail/maildomain.test/mailuser/mail").st_mode & 0o777 == 0o700


def test_from_outside_a_clear_password_is_refused_with_dovecots_words():
    connection, line = greeting(source=OUTSIDE)
    assert "LOGINDISABLED]" in line and "AUTH=" not in line, line
    lines = connection.command(f"a LOGIN {USER} 123456")
    assert lines == ["* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it "
                     "anyway. "
                     "If anyone was listening, the password was exposed.",
                     "a NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."]


def test_disable_plaintext_auth_no_lets_the_outside_in():
    fresh("protocols = imap\nssl = no\ndisable_plaintext_auth = no\n" + PASSDB + IDENTITY + LOCATION)
    connection, _ = greeting(source=OUTSIDE)
    assert " OK " in connection.command(f"a LOGIN {USER} 123456")[-1]


def test_a_wrong_password_is_refused_after_two_seconds_and_logged():
    connection, _ = greeting(source="127.0.0.33")
    assert connection.command(f"a LOGIN {USER} wrong") == ["a NO [AUTHENTICATIONFAILED] Authentication failed."]
    connection.close()
    server.wait_log(rf"imap-login: Info: .*auth failed.*user=<{USER}>, method=PLAIN, rip=127.0.0.33")


def test_ssl_required_offers_starttls_and_the_tls_port():
    fresh("protocols = imap\n" + PASSDB + IDENTITY + LOCATION + SSL)
    connection, line = greeting(source=OUTSIDE)
    assert line.split("]")[0].endswith("STARTTLS LOGINDISABLED"), line
    assert connection.command("s STARTTLS")[-1] == "s OK Begin TLS negotiation now."
    connection.start_tls()
    assert " OK " in connection.command(f"a LOGIN {USER} 123456")[-1]
    tls = Connection(993, source=OUTSIDE, tls=True)
    line = tls.line()
    assert "AUTH=PLAIN" in line and "STARTTLS" not in line, line
    assert " OK " in tls.command(f"a LOGIN {USER} 123456")[-1]
    server.wait_log(rf"Login: user=<{USER}>, .*, TLS, session=<")
    inside, line = greeting()
    assert "STARTTLS AUTH=PLAIN]" in line, line


def test_mail_waits_in_the_queue_until_the_lmtp_socket_is_there_and_arrives_once():
    prepare()
    server.stop()
    postfix = state["postfix"] = Postfix(MAIN_CF.replace("reject_unverified_recipient,", ""))
    postfix.start()
    code, text = swaks("--server", "127.0.0.1", "--local-interface", OUTSIDE, "--from", "extuser@extdomain.test",
                       "--to", USER, "--header", "Subject: queued", "--body", "waiting")
    assert code == 0, text
    postfix.wait_log(r"status=deferred \(connect to .*\[private/dovecot-lmtp\]")
    private.install_file("/etc/dovecot/users.db", f"{USER}:{HASH}\n")
    server.restart(FINAL)
    wait_for(lambda: os.path.exists("/var/spool/postfix/private/dovecot-lmtp"), "the LMTP socket")
    postfix.flush()
    postfix.wait_log(r"status=sent \(250 2\.0\.0 <mailuser@maildomain\.test> \S+ Saved\)")
    server.wait_log(rf"lmtp\({USER}\)<\d+><\S+>: Info: msgid=<.*>: saved mail to INBOX")
    assert messages_with_subject("queued") == 1
    postfix.stop()
    state["postfix"] = Postfix(MAIN_CF)
    state["postfix"].start()


def messages_with_subject(subject, count=1):
    def look():
        client = imaplib.IMAP4_SSL("127.0.0.1", 993)
        client.login(USER, "123456")
        client.select("INBOX")
        found = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        client.logout()
        return len(found) if len(found) >= count else 0
    return wait_for(look, f"a message with the subject {subject!r}")


def test_mail_from_outside_reaches_imap_on_both_ports():
    code, text = swaks("--server", "127.0.0.1", "--local-interface", OUTSIDE, "--from", "extuser@extdomain.test",
                       "--to", USER, "--header", "Subject: from outside", "--body", "hello")
    assert code == 0, text
    assert messages_with_subject("from outside") == 1
    plain = imaplib.IMAP4("127.0.0.1", 143)
    plain.starttls()
    plain.login(USER, "123456")
    plain.select("INBOX")
    number = plain.search(None, "SUBJECT", '"from outside"')[1][0].decode()
    body = plain.fetch(number, "(BODY[])")[1][0][1].decode()
    assert body.startswith("Return-Path: <extuser@extdomain.test>\r\nDelivered-To: mailuser@maildomain.test\r\n"
                           "Received: from mailhost.maildomain.test"), body
    assert re.search(r"\r\n\tby mailhost with LMTP\r\n\tid \S+\r\n\t\(envelope-from <extuser@extdomain.test>\)\r\n"
                     r"\tfor <mailuser@maildomain.test>; ", body), body
    plain.logout()


def test_an_unknown_recipient_is_refused_before_data():
    code, text = swaks("--server", "127.0.0.1", "--local-interface", OUTSIDE, "--from", "extuser@extdomain.test",
                       "--to", "nouser@maildomain.test")
    assert code != 0 and "354" not in text, text
    assert re.search(r"4\d\d 4\.1\.1|550 5\.1\.1", text) and "User doesn't exist: nouser@maildomain.test" in text, text
    assert not os.path.exists("/var/vmail/maildomain.test/nouser")


def test_smtp_auth_relays_with_the_right_password_and_not_with_the_wrong_one():
    common = ["--server", "127.0.0.1", "--from", USER, "--to", "extuser@extdomain.test", "--tls", "--auth", "PLAIN",
              "--auth-user", USER]
    code, text = swaks(*common, "--local-interface", "127.0.0.9", "--auth-password", "123456", "--header",
                       "Subject: relayed")
    assert code == 0 and "235 2.7.0" in text, text
    wait_for(lambda: any(b"Subject: relayed" in message for message in state["world"].messages),
             "the outside host gets the message")
    code, text = swaks(*common, "--local-interface", "127.0.0.44", "--auth-password", "wrong", "--header",
                       "Subject: forged")
    assert code != 0 and "535 5.7.8 Error: authentication failed" in text, text
    code, text = swaks("--server", "127.0.0.1", "--local-interface", "127.0.0.9", "--from", USER, "--to",
                       "extuser@extdomain.test")
    assert code != 0 and re.search(r"Relay access denied", text), text
    assert not any(b"Subject: forged" in message for message in state["world"].messages)


def test_the_published_file_with_scheme_plain_and_a_hash_refuses_the_password():
    server.restart(FINAL.replace("scheme=SHA512-CRYPT", "scheme=PLAIN"))
    connection = Connection(993, tls=True, source="127.0.0.55")
    connection.line()
    assert connection.command(f"a LOGIN {USER} 123456") == ["a NO [AUTHENTICATIONFAILED] Authentication failed."]


def test_doveadm_and_doveconf_of_the_final_configuration():
    server.restart(FINAL)
    run = lambda *command: subprocess.run(command, capture_output=True, text=True)
    assert run("doveconf", "-h", "mail_location").stdout == "maildir:~/mail\n"
    assert "ssl_key = # hidden, use -P to show it" in run("doveconf", "-n").stdout
    found = wait_for(lambda: (lambda r: r if r.returncode == 0 else None)(run("doveadm", "user", USER)), "doveadm user")
    assert "uid\tvmail\ngid\tvmail\nhome\t/var/vmail/maildomain.test/mailuser\n" in found.stdout, found.stdout
    assert run("doveadm", "user", "nouser@maildomain.test").returncode == 67
    found = run("doveadm", "auth", "test", USER, "123456")
    assert found.returncode == 0 and f"passdb: {USER} auth succeeded" in found.stdout, found
    assert run("doveadm", "auth", "test", USER, "wrong").returncode == 77
    assert run("doveadm", "stop").returncode == 0
    wait_for(lambda: server.pid() is None and not port_is_open(143), "the server ends")


CLEANUP = [lambda: state.get("postfix") and state["postfix"].stop(), server.stop]

if __name__ == "__main__":
    case.main(globals())
