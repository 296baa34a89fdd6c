"""Certificate authorities and certificates of clients, by openssl.

    ours = pki.Authority("ours")
    bob = ours.issue("bob", "/CN=bob@example.test")      bob.certificate, bob.key: paths
    ours.revoke(bob); ours.write_crl()                   ours.certificate, ours.crl: paths
"""

import dataclasses
import os
import subprocess

DIRECTORY = "/etc/pki-test"
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
CONFIG = """[ca]
default_ca = here
[here]
database = {0}/index.txt
serial = {0}/serial
crlnumber = {0}/crlnumber
new_certs_dir = {0}
certificate = {0}/ca.pem
private_key = {0}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
email_in_dn = yes
policy = any
[any]
commonName = optional
emailAddress = optional
organizationName = optional
x500UniqueIdentifier = optional
[client]
extendedKeyUsage = clientAuth
[server]
extendedKeyUsage = serverAuth
"""


def openssl(*args):
    result = subprocess.run(["openssl", *args], capture_output=True, text=True)
    assert result.returncode == 0, f"openssl {' '.join(args)}: {result.stderr}"


@dataclasses.dataclass
class Certificate:
    certificate: str
    key: str


def self_signed(name, subject):
    os.makedirs(DIRECTORY, exist_ok=True)
    made = Certificate(f"{DIRECTORY}/{name}.pem", f"{DIRECTORY}/{name}.key")
    openssl("req", "-x509", *EC, "-days", "30", "-utf8", "-subj", subject, "-keyout", made.key, "-out",
            made.certificate)
    return made


class Authority:
    def __init__(self, name):
        self.directory = f"{DIRECTORY}/{name}"
        self.config, self.crl = f"{self.directory}/ca.cnf", f"{self.directory}/crl.pem"
        self.certificate = f"{self.directory}/ca.pem"
        os.makedirs(self.directory)
        for file, text in (("index.txt", ""), ("serial", "1000\n"), ("crlnumber", "01\n"),
                           ("ca.cnf", CONFIG.format(self.directory))):
            with open(f"{self.directory}/{file}", "w") as out:
                out.write(text)
        openssl("req", "-x509", *EC, "-days", "30", "-subj", f"/CN={name} authority", "-keyout",
                f"{self.directory}/ca.key", "-out", self.certificate)
        self.write_crl()

    def issue(self, name, subject, *options, usage="client"):
        made = Certificate(f"{DIRECTORY}/{name}.pem", f"{DIRECTORY}/{name}.key")
        request = f"{DIRECTORY}/{name}.csr"
        openssl("req", "-new", *EC, "-utf8", "-subj", subject, "-keyout", made.key, "-out", request)
        openssl("ca", "-batch", "-notext", "-utf8", "-config", self.config, "-extensions", usage, "-in", request,
                "-out", made.certificate, *options)
        return made

    def revoke(self, certificate):
        openssl("ca", "-config", self.config, "-revoke", certificate.certificate)

    def write_crl(self, *options):
        openssl("ca", "-gencrl", "-config", self.config, "-out", self.crl, *options)

    def text(self, crl=True):
        """What ssl_ca is to hold."""
        with open(self.certificate) as certificate, open(self.crl) as revoked:
            return certificate.read() + (revoked.read() if crl else "")
