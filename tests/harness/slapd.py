"""A real OpenLDAP server with its own configuration and data, for the tests of passdb and userdb ldap."""

import base64
import hashlib
import os
import shutil
import signal
import subprocess

from .server import is_alive, wait_for

BASE = "dc=example,dc=test"
PEOPLE = f"ou=people,{BASE}"
MANAGER, MANAGER_PASSWORD = f"cn=manager,{BASE}", "manager-secret"
FOLDER = "/var/lib/test-slapd"
LDAPI = "ldapi://%2Frun%2Ftest-slapd.sock"

SCHEMA = """
objectIdentifier testRoot 1.3.6.1.4.1.99999.1
attributetype ( testRoot:1 NAME ( 'mailQuota' 'quotaAlias' ) EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( testRoot:2 NAME 'mailClass' SUP distinguishedName )
attributetype ( testRoot:3 NAME 'primaryPath' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( testRoot:4 NAME 'secondaryPath' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( testRoot:5 NAME 'activePath' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( testRoot:6 NAME 'mailFlag' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( testRoot:7 NAME 'mailBlob' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( testRoot:20 NAME 'mailUser' SUP top AUXILIARY MAY ( mail $ mailQuota $ mailClass $ primaryPath $
  secondaryPath $ activePath $ mailFlag $ mailBlob $ userPassword $ uidNumber $ gidNumber $ homeDirectory $ uid ) )
"""

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/test.schema
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit {size_limit}
{tls}
authz-regexp gidNumber=[0-9]+\\+uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth {manager}
authz-regexp uid=([^,]+),(cn=[^,]+,)?cn=digest-md5,cn=auth uid=$1,{people}
sasl-secprops none
database mdb
maxsize 104857600
suffix {base}
rootdn {manager}
rootpw {password}
directory {folder}/data
dbnosync
index uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by anonymous auth by * read
"""


def escape_dn(value):
    """RFC 4514."""
    return "".join(f"\\{byte:02x}" if chr(byte) in ' ,\\#+<>;"=' or byte < 32 else chr(byte)
                   for byte in value.encode()) if value.isascii() else value


def ssha(password, salt=b"saltsalt"):
    """A userPassword that slapd compares with in a bind, and that Dovecot knows too."""
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


def entry(dn, **attributes):
    """One LDIF record; every value in base64, so that no byte means anything."""
    lines = ["dn:: " + base64.b64encode(dn.encode()).decode()]
    for name, values in attributes.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            data = value if isinstance(value, bytes) else str(value).encode()
            lines.append(f"{name}:: {base64.b64encode(data).decode()}")
    return "\n".join(lines) + "\n\n"


def person(uid, password=None, **more):
    """A user of the usual kind below ou=people."""
    fields = {"objectClass": ["person", "posixAccount", "mailUser"], "uid": uid, "cn": uid, "sn": "x",
              "uidNumber": "5000", "gidNumber": "5000", "homeDirectory": f"/var/vmail/{uid}"}
    if password is not None:
        fields["userPassword"] = password
    fields.update(more)
    return entry(f"uid={escape_dn(uid)},{PEOPLE}", **{key: value for key, value in fields.items() if value is not None})


class Slapd:
    def __init__(self, port=389, tls_port=None, folder=FOLDER, size_limit=500, certificate=None):
        """`certificate`: (CA, certificate, key) for StartTLS and, with tls_port, for ldaps."""
        self.port, self.tls_port, self.folder, self.process = port, tls_port, folder, None
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(f"{folder}/data")
        with open(f"{folder}/test.schema", "w") as file:
            file.write(SCHEMA)
        tls = ""
        if certificate:
            tls = "TLSCACertificateFile {}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}".format(*certificate)
        with open(f"{folder}/slapd.conf", "w") as file:
            file.write(CONFIG.format(folder=folder, base=BASE, people=PEOPLE, manager=MANAGER,
                                     password=MANAGER_PASSWORD, tls=tls, size_limit=size_limit))

    def load(self, records):
        """Before the start: the tree's root, ou=people and these records."""
        text = entry(BASE, objectClass=["dcObject", "organization"], dc="example", o="Example")
        text += entry(PEOPLE, objectClass="organizationalUnit", ou="people") + "".join(records)
        result = subprocess.run(["slapadd", "-f", f"{self.folder}/slapd.conf"], input=text, text=True,
                                capture_output=True)
        assert result.returncode == 0, result.stderr

    def start(self):
        urls = f"ldap://127.0.0.1:{self.port} {LDAPI}"
        if self.tls_port:
            urls += f" ldaps://127.0.0.1:{self.tls_port}"
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(["slapd", "-f", f"{self.folder}/slapd.conf", "-h", urls, "-d", "256"],
                                            stdout=log, stderr=log)
        wait_for(lambda: self._answers(), f"slapd answers; its log is {self.folder}/log")

    def _answers(self):
        assert self.process.poll() is None, self.log()[-2000:]
        return subprocess.run(["ldapwhoami", "-x", "-H", f"ldap://127.0.0.1:{self.port}"],
                              capture_output=True).returncode == 0

    def stop(self):
        if self.process:
            self.thaw()
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:  # it finishes what its clients have begun, if they let it
                self.process.kill()
                self.process.wait()
            self.process = None

    def freeze(self):
        """It accepts connections, as the kernel does that, and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: set(self._thread_states()) == {"T"}, "each of slapd's threads stands still")

    def _thread_states(self):
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/stat") as file:
                yield file.read().rsplit(")", 1)[1].split()[0]

    def thaw(self):
        if is_alive(self.process.pid):
            self.process.send_signal(signal.SIGCONT)

    def log(self):
        with open(f"{self.folder}/log", errors="replace") as file:
            return file.read()

    def modify(self, text):
        subprocess.run(["ldapmodify", "-x", "-D", MANAGER, "-w", MANAGER_PASSWORD, "-H",
                        f"ldap://127.0.0.1:{self.port}"], input=text, text=True, check=True, capture_output=True)
