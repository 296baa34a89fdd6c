#!/usr/bin/env python3
"""Seed tutorial 004: virtual mailboxes by Postfix's virtual(8), by dovecot-lda through pipe(8), and mailbox_command."""

import imaplib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private
from harness.mail import make_certificate, swaks
from harness.postfix import Postfix
from harness.server import IS_CULVER, Server, port_is_open, wait_for
from harness.world import World

CONFIG = """
protocols = imap
ssl = yes
ssl_cert = </etc/dovecot/dovecot.pem
ssl_key = </etc/dovecot/private/dovecot.pem
mail_location = maildir:~/mail
auth_mechanisms = plain login
passdb {
  driver = passwd-file
  args = scheme=CRYPT username_format=%u /etc/dovecot/users
}
passdb {
  driver = pam
}
userdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
  default_fields = uid=vmail gid=vmail home=/home/vmail/%d/%n
}
userdb {
  driver = passwd
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
  unix_listener auth-userdb {
    mode = 0600
    user = vmail
  }
}
"""
MAIN_CF = """
mydomain = maildomain.test
myhostname = mail2.$mydomain
myorigin = $mydomain
mydestination = $myhostname, localhost, localhost.$mydomain, localhost.localdomain
mynetworks = 127.0.0.1/32 [::1]/128
mailbox_size_limit = 0
home_mailbox = mail/
disable_vrfy_command = yes
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
local_recipient_maps = proxy:unix:passwd.byname $alias_maps
virtual_mailbox_domains = gilmore.test, maildomain.test
virtual_mailbox_maps = hash:/etc/postfix/virtual_mailbox_maps
virtual_alias_maps = hash:/etc/postfix/virtual_alias_maps
"""
BY_VIRTUAL = """
virtual_uid_maps = static:997
virtual_gid_maps = static:997
virtual_minimum_uid = 997
virtual_mailbox_base = /home/vmail
"""
BY_LDA = """
mailbox_command = /usr/libexec/dovecot/dovecot-lda -f "$SENDER" -a "$RECIPIENT"
virtual_transport = dovecot
dovecot_destination_recipient_limit = 1
"""
# The tutorial's entry lacks user=, which Postfix refuses; this is the form that works.
MASTER_CF = """
dovecot   unix -        n       n       -       -       pipe
  flags=DRhu user=vmail:vmail argv=/usr/{directory}/dovecot/dovecot-lda -f ${{sender}} -d ${{recipient}}
"""
OUTSIDE = "127.0.0.9"
server = Server()
state = {}


def send(recipient, subject, *more):
    code, text = swaks("--server", "127.0.0.1", "--local-interface", OUTSIDE, "--from", "extuser@extdomain.test",
                       "--to",
                       recipient, "--header", f"Subject: {subject}", *more)
    assert code == 0, text


def wait_for_subject(user, password, subject):
    def look():
        client = imaplib.IMAP4_SSL("127.0.0.1", 993)
        client.login(user, password)
        client.select("INBOX")
        found = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        headers = client.fetch(found[0], "(BODY.PEEK[HEADER])")[1][0][1].decode() if found else None
        client.logout()
        return headers and (len(found), headers)
    return wait_for(look, f"{user} gets {subject!r}; log: {server.log()[-2000:]}")


def test_prepare():
    World()
    subprocess.run(["userdel", "vmail"], capture_output=True)
    subprocess.run(["groupadd", "-g", "997", "-o", "vmail"], capture_output=True)
    subprocess.run(["useradd", "-o", "-u", "997", "-g", "997", "-m", "-d", "/home/vmail", "-s", "/sbin/nologin",
                    "vmail"],
                   check=True, capture_output=True)
    private.add_user("carl", uid=1200, password="carlpw")
    make_certificate("/etc/dovecot/dovecot.pem", "/etc/dovecot/private/dovecot.pem")
    private.install_file("/etc/dovecot/users", "happy@gilmore.test:{SHA256-CRYPT}" + subprocess.run(
        ["openssl", "passwd", "-5", "-salt", "saltsalt", "putter"], capture_output=True, text=True).stdout.strip()
        + "::::::\nposter@maildomain.test:{PLAIN}second::::::\n")
    private.install_file("/etc/pam.d/dovecot", "@include common-auth\n@include common-account\n")
    for name, text in (("virtual_mailbox_maps", "happy@gilmore.test gilmore.test/happy/mail/\n"
                                                "poster@maildomain.test maildomain.test/poster/mail/\n"),
                       ("virtual_alias_maps", "postmaster@gilmore.test happy@gilmore.test\n")):
        private.install_file(f"/etc/postfix/{name}", text)
        subprocess.run(["postmap", f"/etc/postfix/{name}"], check=True)
    open(server.LOG, "w").close()
    os.chmod(server.LOG, 0o666)  # dovecot-lda writes to it as vmail and as carl
    server.write_config(CONFIG)
    server.start()
    wait_for(lambda: port_is_open(993), "993 is open")


def test_virtual_delivers_and_imap_finds_it():
    state["postfix"] = Postfix(MAIN_CF + BY_VIRTUAL)
    state["postfix"].start()
    send("happy@gilmore.test", "by virtual")
    send("postmaster@gilmore.test", "by alias")
    wait_for_subject("happy@gilmore.test", "putter", "by virtual")
    wait_for_subject("happy@gilmore.test", "putter", "by alias")
    send("carl@mail2.maildomain.test", "by local")
    wait_for_subject("carl", "carlpw", "by local")
    state["postfix"].stop()


def test_dovecot_lda_by_pipe_from_both_paths():
    for directory in ("lib", "libexec") if IS_CULVER else ("lib",):
        state["postfix"] = Postfix(MAIN_CF + BY_LDA.replace("libexec", directory),
                                   MASTER_CF.format(directory=directory))
        state["postfix"].start()
        send("happy@gilmore.test", f"by pipe {directory}")
        count, headers = wait_for_subject("happy@gilmore.test", "putter", f"by pipe {directory}")
        assert headers.startswith("Return-Path: <extuser@extdomain.test>\r\n"), headers
        assert "Delivered-To: happy@gilmore.test\r\n" in headers, headers
        assert count == 1
        server.wait_log(r"lda\(happy@gilmore\.test\)<\d+><\S+>: Info: msgid=<.*>: saved mail to INBOX")
        state["postfix"].stop()


def test_mailbox_command_runs_dovecot_lda_as_the_local_user():
    directory = "libexec" if IS_CULVER else "lib"
    state["postfix"] = Postfix(MAIN_CF + BY_LDA.replace("libexec", directory), MASTER_CF.format(directory=directory))
    state["postfix"].start()
    send("carl@mail2.maildomain.test", "by mailbox_command")
    _, headers = wait_for_subject("carl", "carlpw", "by mailbox_command")
    assert "Delivered-To: carl@mail2.maildomain.test" in headers, headers


def test_an_unknown_user_bounces_and_a_dead_userdb_defers():
    with open("/etc/postfix/virtual_mailbox_maps", "a") as file:
        file.write("ghost@gilmore.test x\n")
    subprocess.run(["postmap", "/etc/postfix/virtual_mailbox_maps"], check=True)
    state["postfix"].reload()
    send("ghost@gilmore.test", "for nobody")
    state["postfix"].wait_log(r"to=<ghost@gilmore\.test>.*dsn=5\.1\.1, status=bounced \(user unknown")
    server.stop()
    send("happy@gilmore.test", "while down")
    state["postfix"].wait_log(r"to=<happy@gilmore\.test>.*dsn=4\.3\.0, status=deferred")
    server.start()
    state["postfix"].flush()
    count, _ = wait_for_subject("happy@gilmore.test", "putter", "while down")
    assert count == 1


CLEANUP = [lambda: state.get("postfix") and state["postfix"].stop(), server.stop]

if __name__ == "__main__":
    case.main(globals())
