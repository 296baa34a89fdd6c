"""The usual small set-up of a test: virtual users in a passwd-file, IMAP on both ports, LMTP on a socket."""

import os

from . import private
from .mail import make_certificate
from .server import Server, port_is_open, wait_for

USER, PASSWORD = "bob@example.test", "secret"
LMTP_SOCKET = "/run/dovecot/lmtp"
PASSDB = """passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/dovecot/users
}"""
CONFIG = f"""
protocols = imap lmtp
ssl = yes
ssl_cert = </etc/dovecot/dovecot.pem
ssl_key = </etc/dovecot/private/dovecot.pem
disable_plaintext_auth = no
{PASSDB}
mail_uid = vmail
mail_gid = vmail
mail_home = /var/vmail/%d/%n
mail_location = maildir:~/Maildir
mail_max_userip_connections = 1000
namespace inbox {{
  inbox = yes
  separator = /
}}
"""


def start(more="", users=(USER,), program=None):
    """A running server; every user has the same password."""
    private.add_user("vmail", uid=5000, home="/var/vmail")
    os.chmod("/var/vmail", 0o700)
    private.install_file("/etc/dovecot/users", "".join(f"{user}:{PASSWORD}\n" for user in users))
    make_certificate("/etc/dovecot/dovecot.pem", "/etc/dovecot/private/dovecot.pem")
    server = Server(CONFIG + more, program=program)
    server.start()
    wait_for(lambda: port_is_open(143) and os.path.exists(LMTP_SOCKET), "the server's ports")
    return server


def maildir(user=USER):
    name, domain = user.split("@")
    return f"/var/vmail/{domain}/{name}/Maildir"
