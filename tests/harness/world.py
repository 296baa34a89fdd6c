"""The world outside: a name server and another mail host, both inside the private machine.

exthost.extdomain.test is 127.0.0.9; it is the MX of extdomain.test and keeps every message it is sent.
"""

import os
import shutil
import socket
import socketserver
import struct
import threading

ADDRESSES = {
    "mailhost.maildomain.test": "127.0.0.1",
    "maildomain.test": "127.0.0.1",
    "extdomain.test": "127.0.0.9",
    "exthost.extdomain.test": "127.0.0.9",
}
MAIL_EXCHANGERS = {"extdomain.test": "exthost.extdomain.test", "maildomain.test": "mailhost.maildomain.test"}
POINTERS = {"9.0.0.127.in-addr.arpa": "exthost.extdomain.test", "1.0.0.127.in-addr.arpa": "mailhost.maildomain.test"}


def _encode(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def _answer(query):
    labels, position = [], 12
    while query[position]:
        length = query[position]
        labels.append(query[position + 1:position + 1 + length].decode().lower())
        position += length + 1
    kind = struct.unpack(">H", query[position + 1:position + 3])[0]
    name = ".".join(labels)
    data = None
    if kind == 1 and name in ADDRESSES:
        data = socket.inet_aton(ADDRESSES[name])
    elif kind == 15 and name in MAIL_EXCHANGERS:
        data = struct.pack(">H", 10) + _encode(MAIL_EXCHANGERS[name])
    elif kind == 12 and name in POINTERS:
        data = _encode(POINTERS[name])
    known = data or name in ADDRESSES or name in MAIL_EXCHANGERS
    flags = 0x8580 if known else 0x8583
    question = query[12:position + 5]
    answer = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data if data else b""
    return query[:2] + struct.pack(">HHHHH", flags, 1, 1 if data else 0, 0, 0) + question + answer


class _NameServer(socketserver.BaseRequestHandler):
    def handle(self):
        query, reply_socket = self.request
        try:
            reply_socket.sendto(_answer(query), self.client_address)
        except (IndexError, struct.error, UnicodeDecodeError):
            pass


class _MailHost(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 exthost.extdomain.test ESMTP\r\n")
        data = None
        for line in self.rfile:
            if data is not None:
                if line == b".\r\n":
                    self.server.messages.append(b"".join(data))
                    data = None
                    self.wfile.write(b"250 2.0.0 kept\r\n")
                else:
                    data.append(line)
            elif line.upper().startswith(b"DATA"):
                data = []
                self.wfile.write(b"354 go on\r\n")
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


class _ThreadingTcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class World:
    def __init__(self):
        with open("/etc/resolv.conf", "w") as file:
            file.write("nameserver 127.0.0.1\n")
        self.names = socketserver.UDPServer(("127.0.0.1", 53), _NameServer)
        self.host = _ThreadingTcp(("127.0.0.9", 25), _MailHost)
        self.host.messages = []
        for server in (self.names, self.host):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        # What Debian's init script does for the services that Postfix runs in a chroot.
        os.makedirs("/var/spool/postfix/etc", exist_ok=True)
        for name in ("resolv.conf", "hosts", "services", "nsswitch.conf", "localtime"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", f"/var/spool/postfix/etc/{name}")

    @property
    def messages(self):
        return self.host.messages
