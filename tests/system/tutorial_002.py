#!/usr/bin/env python3
"""Seeds 002 and 003: Debian's own conf.d with the tutorials' few edits, certificates in certbot's places, Postfix with
its SASL, TLS and sender rules; delivery into ~/Maildir and through dovecot-lda."""

import base64
import imaplib
import os
import re
import smtplib
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private
from harness.mail import Connection, make_certificate, make_message, swaks
from harness.postfix import Postfix
from harness.server import Server, wait_for
from harness.world import World

NAME = "mailhost.maildomain.test"
LIVE = f"/etc/letsencrypt/live/{NAME}"
# 10-ssl.conf as tutorial 002 has it; 10-mail.conf and 10-master.conf as their comments say.
EDITS = {
    "10-ssl.conf": [(r"^ssl = yes", "ssl = required"),
                    (r"^ssl_cert = .*", f"ssl_cert = <{LIVE}/fullchain.pem"),
                    (r"^ssl_key = .*", f"ssl_key = <{LIVE}/privkey.pem")],
    "10-mail.conf": [(r"^mail_location = .*", "mail_location = maildir:~/Maildir")],
    "10-auth.conf": [(r"^auth_mechanisms = .*", "auth_mechanisms = plain login")],
    "10-master.conf": [(r"^  #unix_listener /var/spool/postfix/private/auth \{\n  #  mode = 0666\n  #\}",
                        "  unix_listener /var/spool/postfix/private/auth {\n    mode = 0666\n  }")],
}
COMMON = f"""
myhostname = {NAME}
mydomain = maildomain.test
recipient_delimiter = +
home_mailbox = Maildir/
mailbox_size_limit = 0
disable_vrfy_command = yes
smtpd_banner = $myhostname ESMTP
smtpd_helo_required = yes
smtpd_tls_cert_file = {LIVE}/fullchain.pem
smtpd_tls_key_file = {LIVE}/privkey.pem
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
"""
MAIN_002 = COMMON + """
mydestination = $mydomain, $myhostname, localhost.$myhostname, , localhost
mynetworks = 127.0.0.1/32
message_size_limit = 104857600
canonical_maps = hash:/etc/postfix/canonical
virtual_alias_maps = hash:/etc/postfix/virtual
virtual_mailbox_domains = hash:/etc/postfix/virtual-mailbox-domains
virtual_mailbox_maps = hash:/etc/postfix/virtual-mailbox-users
virtual_transport = dovecot
dovecot_destination_recipient_limit = 1
smtpd_tls_ask_ccert = yes
smtpd_tls_security_level = may
smtpd_tls_ciphers = high
broken_sasl_auth_clients = yes
smtpd_sasl_authenticated_header = yes
smtpd_sasl_local_domain = $myhostname
smtpd_sasl_security_options = noanonymous
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_sender_login_maps = hash:/etc/postfix/senders
smtpd_recipient_restrictions = permit_sasl_authenticated,permit_mynetworks,reject_unauth_destination
"""
# The tutorial leaves the service to the reader; this is the form that Dovecot's documentation gives.
MASTER_002 = """
dovecot   unix -        n       n       -       -       pipe
  flags=DRhu user=vmail:vmail argv=/usr/lib/dovecot/dovecot-lda -f ${sender} -d ${recipient}
"""
MAIN_003 = COMMON + """
mydestination = $myhostname, maildomain.test, localhost.localdomain, localhost
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
append_dot_mydomain = no
smtpd_tls_security_level = encrypt
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_auth_only = yes
"""
MASTER_003 = """
submission inet n       -       -       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_wrappermode=no
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_mynetworks,permit_sasl_authenticated,reject
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=private/auth
"""
OUTSIDE = "127.0.0.9"
server = Server(log=False)
state = {}


def edit_debians_configuration():
    for name, edits in EDITS.items():
        path = f"/etc/dovecot/conf.d/{name}"
        with open(path) as file:
            text = file.read()
        for pattern, replacement in edits:
            text, count = re.subn(pattern, replacement, text, flags=re.M)
            assert count == 1, f"{path}: {pattern} is there {count} times"
        with open(path, "w") as file:
            file.write(text)
    with open("/etc/dovecot/conf.d/99-test.conf", "w") as file:
        file.write(f"protocols = imap\nlog_path = {server.LOG}\nuserdb {{\n  driver = passwd-file\n"
                   f"  args = /etc/dovecot/virtual-users\n}}\n"
                   "service auth {\n  unix_listener auth-userdb {\n    user = vmail\n  }\n}\n")


def test_debians_conf_d_with_the_tutorials_edits_starts():
    World()
    private.add_user("anna", uid=1100, password="anna's pass:word")
    private.add_user("bert", uid=1101, password="other")
    private.add_user("vmail", uid=1199, home="/home/vmail")
    archive = f"/etc/letsencrypt/archive/{NAME}"
    os.makedirs(LIVE, exist_ok=True)
    make_certificate(f"{archive}/fullchain1.pem", f"{archive}/privkey1.pem", NAME)
    os.chmod(f"{archive}/privkey1.pem", 0o400)
    for name in ("fullchain", "privkey"):
        os.symlink(f"../../archive/{NAME}/{name}1.pem", f"{LIVE}/{name}.pem")
    private.install_file("/etc/dovecot/virtual-users", "happy@gilmore.test::1199:1199::/home/vmail/happy::\n")
    edit_debians_configuration()
    open(server.LOG, "w").close()
    os.chmod(server.LOG, 0o666)  # dovecot-lda writes to it as vmail
    server.start()
    for name, text in (("canonical", ""), ("virtual", "info@maildomain.test anna\n"),
                       ("virtual-mailbox-domains", "gilmore.test x\n"),
                       ("virtual-mailbox-users", "happy@gilmore.test x\n"),
                       ("senders", "anna@maildomain.test anna\nbert@maildomain.test bert\n")):
        private.install_file(f"/etc/postfix/{name}", text)
        subprocess.run(["postmap", f"/etc/postfix/{name}"], check=True)
    state["postfix"] = Postfix(MAIN_002, MASTER_002)
    state["postfix"].start()


def login(user="anna", password="anna's pass:word"):
    client = imaplib.IMAP4_SSL("127.0.0.1", 993)
    client.login(user, password)
    return client


def wait_for_message(user, password, subject):
    def look():
        client = login(user, password)
        client.select("INBOX")
        found = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        text = client.fetch(found[0], "(BODY.PEEK[HEADER])")[1][0][1].decode() if found else None
        client.logout()
        return text
    return wait_for(look, f"{user} gets {subject!r}; log: {server.log()[-2000:]}")


def submission(port, user, password, tls=True):
    client = smtplib.SMTP("127.0.0.1", port, NAME, source_address=(OUTSIDE, 0), timeout=60)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.starttls(context=context)
    client.ehlo()
    if user:
        client.login(user, password)
    return client


def test_ssl_required_means_no_password_in_the_clear_from_outside():
    connection = Connection(143, source=OUTSIDE)
    assert "LOGINDISABLED" in connection.line()
    assert connection.command("a LOGIN anna x")[-1].startswith("a NO [PRIVACYREQUIRED] ")
    connection.close()
    assert login().logout()[0] == "BYE"


def test_postfix_announces_auth_twice_for_old_clients_and_delivers_to_the_maildir():
    client = submission(25, None, None, tls=False)
    answer = client.ehlo()[1].decode()
    assert re.search(r"^AUTH PLAIN LOGIN$", answer, re.M) and re.search(r"^AUTH=PLAIN LOGIN$", answer, re.M), answer
    client.quit()
    code, text = swaks("--server", "127.0.0.1", "--local-interface", OUTSIDE, "--from", "extuser@extdomain.test",
                       "--to",
                       "info@maildomain.test", "--header", "Subject: by alias")
    assert code == 0, text
    wait_for_message("anna", "anna's pass:word", "by alias")


def test_an_authenticated_sender_is_named_in_the_header_and_may_use_only_his_own_address():
    client = submission(25, "anna", "anna's pass:word")
    client.sendmail("anna@maildomain.test", ["bert@maildomain.test"], make_message("from anna"))
    header = wait_for_message("bert", "other", "from anna")
    assert re.search(r"\(Authenticated sender: anna\)", header), header
    assert "using TLSv1" in header, header
    try:
        client.sendmail("bert@maildomain.test", ["anna@maildomain.test"], make_message("forged"))
        raise AssertionError("anna may send as bert")
    except smtplib.SMTPRecipientsRefused as error:
        assert list(error.recipients.values())[0][0] == 553, error.recipients
    client.quit()


def test_a_wrong_password_is_535_and_the_right_one_works_afterwards():
    client = submission(25, None, None)
    code, text = client.docmd("AUTH PLAIN " + base64.b64encode(b"\0anna\0wrong").decode())
    assert code == 535 and text.startswith(b"5.7.8 Error: authentication failed"), (code, text)
    client.close()
    submission(25, "anna", "anna's pass:word").quit()


def test_dovecot_lda_delivers_for_a_virtual_domain():
    code, text = swaks("--server", "127.0.0.1", "--local-interface", OUTSIDE, "--from", "extuser@extdomain.test",
                       "--to",
                       "happy@gilmore.test", "--header", "Subject: by pipe")
    assert code == 0, text
    server.wait_log(r"lda\(happy@gilmore\.test\)<\d+><\S+>: (Info: )?msgid=<.*>: saved mail to INBOX")
    assert len(os.listdir("/home/vmail/happy/Maildir/new")) == 1


def test_tutorial_003_submission_with_mandatory_tls():
    state["postfix"].stop()
    state["postfix"] = Postfix(MAIN_003, MASTER_003)
    state["postfix"].start()
    plain = submission(587, None, None, tls=False)
    assert "auth" not in plain.esmtp_features, plain.esmtp_features
    assert plain.docmd("AUTH PLAIN AGFubmEAeA==")[0] in (503, 530)
    plain.quit()
    client = submission(587, "anna", "anna's pass:word")
    client.sendmail("anna@maildomain.test", ["bert+lists@maildomain.test", "someone@extdomain.test"],
                    make_message("by submission"))
    client.quit()
    wait_for_message("bert", "other", "by submission")


def test_a_renewed_certificate_is_picked_up_by_both():
    archive = f"/etc/letsencrypt/archive/{NAME}"
    make_certificate(f"{archive}/fullchain2.pem", f"{archive}/privkey2.pem", NAME)
    os.chmod(f"{archive}/privkey2.pem", 0o400)
    for name in ("fullchain", "privkey"):
        os.unlink(f"{LIVE}/{name}.pem")
        os.symlink(f"../../archive/{NAME}/{name}2.pem", f"{LIVE}/{name}.pem")
    with open(f"{LIVE}/fullchain.pem") as file:
        renewed = ssl.PEM_cert_to_DER_cert(file.read())
    server.reload()
    state["postfix"].reload()

    def shown():
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client = imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=context)
        certificate = client.socket().getpeercert(True)
        client.logout()
        smtp = submission(587, None, None)
        same = smtp.sock.getpeercert(True) == certificate == renewed
        smtp.close()
        return same
    wait_for(shown, "IMAP and SMTP show the renewed certificate")


CLEANUP = [lambda: state.get("postfix") and state["postfix"].stop(), server.stop]

if __name__ == "__main__":
    case.main(globals())
