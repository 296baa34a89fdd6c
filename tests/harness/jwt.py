"""JSON Web Tokens for tests, signed by the openssl program: every algorithm, and every way to get them wrong.

    key = jwt.Key("ES256"); key.install("/etc/pair/keys/default/ES256/default"); jwt.make(key, {"sub": "bob"})
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import tempfile
import time

from .private import install_file

CURVES = {"ES256": ("P-256", 32), "ES384": ("P-384", 48), "ES512": ("P-521", 66)}
ALGORITHMS = ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
              "ES512", "EdDSA")


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _openssl(*arguments, input=None):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, input=input).stdout


class Key:
    def __init__(self, algorithm, secret=None, bits=2048):
        self.algorithm, self.secret = algorithm, secret or os.urandom(32)
        family = algorithm[:2]
        options = {"RS": ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"],
                   "PS": ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"],
                   "ES": ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{CURVES.get(algorithm, ('',))[0]}"],
                   "Ed": ["-algorithm", "ED25519"]}.get(family)
        if options:
            self.private = _openssl("genpkey", *options)
            self.public = _openssl("pkey", "-pubout", input=self.private)
        else:
            self.public = base64.b64encode(self.secret)

    def install(self, path, content=None):
        install_file(path, content if content is not None else self.public)

    def sign(self, data):
        family, bits = self.algorithm[:2], self.algorithm[-3:]
        if family == "HS":
            return hmac.new(self.secret, data, getattr(hashlib, "sha" + bits)).digest()
        with tempfile.NamedTemporaryFile() as private, tempfile.NamedTemporaryFile() as message:
            private.write(self.private)
            private.flush()
            message.write(data)
            message.flush()
            if family == "Ed":
                return _openssl("pkeyutl", "-sign", "-rawin", "-inkey", private.name, "-in", message.name)
            pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"] if family == "PS" else []
            signature = _openssl("dgst", "-sha" + bits, *pss, "-sign", private.name, message.name)
        return _raw_ecdsa(signature, CURVES[self.algorithm][1]) if family == "ES" else signature


def _raw_ecdsa(der, half):
    """SEQUENCE { INTEGER r, INTEGER s } as r and s side by side."""
    at = 3 if der[1] & 0x80 else 2
    numbers = []
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big"))
        at += 2 + length
    return b"".join(number.to_bytes(half, "big") for number in numbers)


def make(key, claims, header=None, algorithm=None, signature=None):
    """A token with sub, exp and the claims given; a claim or header of None is left out."""
    head = {"typ": "JWT", "alg": algorithm or key.algorithm, **(header or {})}
    body = {"sub": "alice@example.test", "exp": int(time.time()) + 3600, **claims}
    text = ".".join(b64url(json.dumps({name: value for name, value in part.items() if value is not None}).encode())
                    for part in (head, body))
    return text + "." + b64url(key.sign(text.encode()) if signature is None else signature)
