"""The client sides of the SASL mechanisms, for tests of servers.

    sasl.Plain("user", "password")           .initial() begins: the first message, None where the server speaks first
    sasl.make("SCRAM-SHA-1", user, password) .respond(challenge) the answer to each challenge (bytes)

`.shape(challenge)` is what two servers must agree on: the challenge without its nonces and times. The client also
checks what the server proves (rspauth, v=): a wrong proof shows in the shape. Answers can be spoilt: a subclass or a
caller may replace any method, and Script says whatever it is given.
"""

import base64
import hashlib
import hmac
import os
import re


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


class Mechanism:
    name = ""

    def __init__(self, user, password="", authzid=""):
        self.user, self.password, self.authzid = to_bytes(user), to_bytes(password), to_bytes(authzid)

    def initial(self):
        return None

    def respond(self, challenge):
        return b""

    def shape(self, challenge):
        return challenge.decode(errors="backslashreplace")

    def __repr__(self):
        return f"{self.name} {self.user!r} {self.password!r}" + (f" as {self.authzid!r}" if self.authzid else "")


class Script(Mechanism):
    """Says its lines whatever the server says."""

    def __init__(self, name, *messages, first=True):
        super().__init__("")
        self.name, self.messages, self.first = name, [to_bytes(message) for message in messages], first
        self.next = 0

    def initial(self):
        self.next = 0
        return self.respond(b"") if self.first and self.messages else None

    def respond(self, challenge):
        self.next += 1
        return self.messages[self.next - 1] if self.next <= len(self.messages) else b""

    def shape(self, challenge):
        return TEMPLATES.get(self.name, Mechanism)("").shape(challenge)

    def __repr__(self):
        return f"{self.name} {self.messages!r}"


class Plain(Mechanism):
    name = "PLAIN"

    def initial(self):
        return self.authzid + b"\0" + self.user + b"\0" + self.password

    def respond(self, challenge):
        return self.initial()


class Login(Mechanism):
    name = "LOGIN"

    def respond(self, challenge):
        return self.user if challenge == b"Username:" else self.password


class External(Mechanism):
    name = "EXTERNAL"

    def initial(self):
        return self.authzid

    def respond(self, challenge):
        return self.authzid


class Anonymous(Mechanism):
    name = "ANONYMOUS"

    def initial(self):
        return self.user

    def respond(self, challenge):
        return self.user


class CramMd5(Mechanism):
    name = "CRAM-MD5"

    def respond(self, challenge):
        return self.user + b" " + hmac.new(self.password, challenge, "md5").hexdigest().encode()

    def shape(self, challenge):
        return re.sub(rb"^<\d+\.\d+@", b"<N.T@", challenge).decode(errors="backslashreplace")


class DigestMd5(Mechanism):
    name = "DIGEST-MD5"

    def __init__(self, user, password="", authzid="", realm=None, qop="auth", uri=b"imap/localhost"):
        super().__init__(user, password, authzid)
        self.realm, self.qop, self.uri = realm, qop, uri
        self.proof = None

    def initial(self):
        self.proof = None

    @staticmethod
    def _hex(data):
        return hashlib.md5(data).hexdigest().encode()

    def respond(self, challenge):
        if self.proof:
            return b""
        nonce = re.search(rb'nonce="([^"]*)"', challenge).group(1)
        realms = re.findall(rb'realm="([^"]*)"', challenge)
        realm = to_bytes(self.realm) if self.realm is not None else (realms[0] if realms else b"")
        cnonce = base64.b64encode(os.urandom(12))
        a1 = hashlib.md5(self.user + b":" + realm + b":" + self.password).digest() + b":" + nonce + b":" + cnonce
        if self.authzid:
            a1 += b":" + self.authzid
        middle = nonce + b":00000001:" + cnonce + b":" + to_bytes(self.qop) + b":"
        response = self._hex(self._hex(a1) + b":" + middle + self._hex(b"AUTHENTICATE:" + self.uri))
        self.proof = b"rspauth=" + self._hex(self._hex(a1) + b":" + middle + self._hex(b":" + self.uri))
        quote = lambda text: b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        return (b"username=" + quote(self.user) + b",realm=" + quote(realm) + b",nonce=" + quote(nonce) + b",cnonce=" +
                quote(cnonce) + b",nc=00000001,qop=" + to_bytes(self.qop) + b",digest-uri=" + quote(self.uri) +
                b",response=" + response + (b",authzid=" + quote(self.authzid) if self.authzid else b"") +
                b",charset=utf-8")

    def shape(self, challenge):
        if challenge.startswith(b"rspauth="):
            return "rspauth=" + ("right" if challenge == self.proof else "WRONG")
        return re.sub(rb'nonce="[A-Za-z0-9+/]{22}=="', b'nonce="N"', challenge).decode(errors="backslashreplace")


class Scram(Mechanism):
    digest = "sha1"

    def __init__(self, user, password="", authzid="", gs2="n", binding=b""):
        super().__init__(user, password, authzid)
        self.gs2, self.binding = to_bytes(gs2), binding
        self.expected = None
        self.nonce = base64.b64encode(os.urandom(18))

    @staticmethod
    def _saslname(name):
        return name.replace(b"=", b"=3D").replace(b",", b"=2C")

    def _header(self):
        return self.gs2 + b"," + (b"a=" + self._saslname(self.authzid) if self.authzid else b"") + b","

    def _bare(self):
        return b"n=" + self._saslname(self.user) + b",r=" + self.nonce

    def initial(self):
        self.expected = None
        return self._header() + self._bare()

    def _hmac(self, key, data):
        return hmac.new(key, data, self.digest).digest()

    def respond(self, challenge):
        if self.expected or not challenge.startswith(b"r="):
            return b"" if self.expected else self.initial()
        fields = dict(field.split(b"=", 1) for field in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        client_key = self._hmac(salted, b"Client Key")
        without_proof = b"c=" + base64.b64encode(self._header() + self.binding) + b",r=" + fields[b"r"]
        message = self._bare() + b"," + challenge + b"," + without_proof
        signature = self._hmac(hashlib.new(self.digest, client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.expected = b"v=" + base64.b64encode(self._hmac(self._hmac(salted, b"Server Key"), message))
        return without_proof + b",p=" + base64.b64encode(proof)

    def shape(self, challenge):
        if challenge.startswith(b"v="):
            return "v=" + ("right" if challenge == self.expected else "WRONG")
        if challenge.startswith(b"r="):
            fields = dict(field.split(b"=", 1) for field in challenge.split(b","))
            own = fields.get(b"r", b"").startswith(self.nonce) and len(fields[b"r"]) > len(self.nonce) + 16
            salt = len(base64.b64decode(fields.get(b"s", b"")))
            return f"r={'ours+' if own else 'WRONG'} s={salt} bytes i={fields.get(b'i', b'').decode()}"
        return super().shape(challenge)


class ScramSha1(Scram):
    name = "SCRAM-SHA-1"


class ScramSha256(Scram):
    name, digest = "SCRAM-SHA-256", "sha256"


class XOAuth2(Mechanism):
    """The password is the token."""
    name = "XOAUTH2"

    def initial(self):
        return b"user=" + self.user + b"\1auth=Bearer " + self.password + b"\1\1"

    def respond(self, challenge):
        return b"" if challenge else self.initial()


class OAuthBearer(Mechanism):
    name = "OAUTHBEARER"

    def initial(self):
        return b"n,a=" + self.user + b",\1host=localhost\1port=143\1auth=Bearer " + self.password + b"\1\1"

    def respond(self, challenge):
        return b"\1" if challenge else self.initial()


TEMPLATES = {kind.name: kind for kind in (Plain, Login, External, Anonymous, CramMd5, DigestMd5, ScramSha1, ScramSha256,
                                          XOAuth2, OAuthBearer)}


def make(name, user, password="", **more):
    return TEMPLATES[name.upper()](user, password, **more)
