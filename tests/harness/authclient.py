"""Clients of the auth protocol: its client side (auth-client, login/login) and its master side (auth-master,
auth-userdb).

    client = AuthClient(path)
    reply = client.login(sasl.Plain("bob", "secret"))       reply.kind, reply.fields, reply.steps
    master = MasterClient(path)
    reply = master.ask("USER", "bob", "service=imap")

A Reply's fields are what follows the id, unescaped; `steps` are the challenges in the shape that servers agree on.
"""

import base64
import dataclasses
import itertools
import os
import socket

_numbers = itertools.count(1)
ESCAPES = {"0": "\0", "1": "\1", "t": "\t", "r": "\r", "n": "\n"}
DEFAULT = "service=imap\tsecured\tno-penalty"


def unescape(field):
    out, position = "", 0
    while (at := field.find("\1", position)) >= 0 and at + 1 < len(field):
        out += field[position:at] + ESCAPES.get(field[at + 1], field[at + 1])
        position = at + 2
    return out + field[position:]


def escape(text):
    for byte, letter in (("\1", "1"), ("\0", "0"), ("\t", "t"), ("\r", "r"), ("\n", "n")):
        text = text.replace(byte, "\1" + letter)
    return text


@dataclasses.dataclass
class Reply:
    kind: str  # OK, FAIL, USER, ...; CLOSED when the server has cut us off, SILENT when nothing came
    fields: list = dataclasses.field(default_factory=list)
    steps: list = dataclasses.field(default_factory=list)
    id: int = 0

    def get(self, key):
        """The value of `key=value`, "" for a bare key, None if it is not there."""
        for field in self.fields:
            name, equals, value = field.partition("=")
            if name == key:
                return value
        return None

    def __str__(self):
        return " | ".join([*(f"[{step}]" for step in self.steps), self.kind, *self.fields])


class LineSocket:
    """Lines over a UNIX socket. `timeout`: how long an answer that must come may take on a busy machine."""

    def __init__(self, path, timeout=60):
        self.timeout = timeout
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = b""
        self.closed = False

    def send(self, text):
        """False if the server has closed the connection."""
        try:
            self.socket.sendall(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def line(self):
        """None when the server has closed the connection."""
        while b"\n" not in self.buffer:
            try:
                block = self.socket.recv(65536)
            except ConnectionResetError:
                block = b""
            if not block:
                self.closed = True
                return None
            self.buffer += block
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode("utf-8", "surrogateescape")

    def quiet_line(self, seconds):
        """A line, None for a closed connection, "" if nothing comes for so long."""
        self.socket.settimeout(seconds)
        try:
            return self.line()
        except TimeoutError:
            return ""
        finally:
            self.socket.settimeout(self.timeout)

    def close(self):
        self.socket.close()


def new_pid():
    """On login sockets each connection needs a number of its own."""
    return os.getpid() * 1000 + next(_numbers)


def greet(client, pid=None, minor=2):
    """The handshake of a LineSocket on the client side; the lines of the server's, without DONE."""
    client.send(f"VERSION\t1\t{minor}\nCPID\t{pid or new_pid()}\n")
    lines = []
    while (line := client.line()) != "DONE":
        assert line is not None, f"the server closes during the handshake, after {lines}"
        lines.append(line)
    return lines


class AuthClient(LineSocket):
    def __init__(self, path, minor=2, pid=None, handshake=True, timeout=60):
        super().__init__(path, timeout)
        self.pid = pid or new_pid()
        self.greeting, self.mechanisms = [], []
        self.next_id, self.waiting = 0, {}
        if handshake:
            self.shake_hands(minor)

    def shake_hands(self, minor=2):
        self.greeting = greet(self, self.pid, minor)
        self.mechanisms = [line[5:] for line in self.greeting if line.startswith("MECH\t")]
        values = dict(line.split("\t", 1) for line in self.greeting if not line.startswith("MECH\t"))
        self.spid, self.cuid, self.cookie = int(values["SPID"]), int(values["CUID"]), values["COOKIE"]

    def begin(self, mechanism, params=DEFAULT, response=None, id=None):
        """Sends AUTH. `response`: bytes of the initial response, or a string that stands behind resp= as it is."""
        if id is None:
            self.next_id += 1
            id = self.next_id
        text = f"AUTH\t{id}\t{mechanism}" + (f"\t{params}" if params else "")
        if isinstance(response, bytes):
            response = base64.b64encode(response).decode() or "="
        self.send(text + (f"\tresp={response}" if response is not None else "") + "\n")
        return id

    def answer(self, id, data):
        self.send(f"CONT\t{id}\t{base64.b64encode(data).decode()}\n")

    def reply(self, id):
        """The next line for that id; lines for others wait."""
        while not self.waiting.get(id):
            line = self.line()
            if line is None:
                return Reply("CLOSED", id=id)
            words = line.split("\t")
            self.waiting.setdefault(int(words[1]), []).append(words)
        words = self.waiting[id].pop(0)
        return Reply(words[0], [unescape(word) for word in words[2:]], id=id)

    def has_heard_of(self, id):
        """Whether a line for that id came before one that was read."""
        return bool(self.waiting.get(id))

    def start(self, sasl, params=DEFAULT, initial=True):
        first = sasl.initial()
        return self.begin(sasl.name, params, first if initial else None)

    def step(self, sasl, id, steps):
        """Answers one challenge, or gives the Reply that ends the login."""
        reply = self.reply(id)
        if reply.kind != "CONT" or len(steps) > 20:
            for number, field in enumerate(reply.fields):
                if field.startswith("resp="):
                    reply.fields[number] = "resp:" + sasl.shape(base64.b64decode(field[5:]))
            reply.steps = steps
            return reply
        challenge = base64.b64decode(reply.fields[0]) if reply.fields else b"NO FIELD"
        steps.append(sasl.shape(challenge))
        self.answer(id, sasl.respond(challenge))
        return None

    def finish(self, sasl, id):
        steps = []
        while not (reply := self.step(sasl, id, steps)):
            pass
        return reply

    def login_all(self, rows):
        """[(mechanism, params, initial)]: all under way at once, step by step; the replies in their order."""
        begun = [(self.start(*row), []) for row in rows]
        replies = [None] * len(rows)
        while None in replies:
            for number, (id, steps) in enumerate(begun):
                if replies[number] is None:
                    replies[number] = self.step(rows[number][0], id, steps)
        return replies

    def login(self, sasl, params=DEFAULT, initial=True):
        return self.finish(sasl, self.start(sasl, params, initial))


class MasterClient(LineSocket):
    def __init__(self, path, minor=1, timeout=60, handshake=True):
        super().__init__(path, timeout)
        self.next_id = 0
        if handshake:
            self.send(f"VERSION\t1\t{minor}\n")
            self.greeting = [self.line(), self.line()]

    def start(self, command, *fields, id=None):
        if id is None:
            self.next_id += 1
            id = self.next_id
        self.send("\t".join([command, str(id), *fields]) + "\n")
        return id

    def ask(self, command, *fields):
        """A command with its id put in; the reply's fields are unescaped. LIST gives the users as fields."""
        id = self.start(command, *fields)
        listed = []
        while True:
            line = self.line()
            if line is None:
                return Reply("CLOSED", listed, id=id)
            words = line.split("\t")
            if words[1] != str(id):
                continue
            if words[0] == "LIST":
                listed.append(unescape(words[2]))
                continue
            return Reply(words[0], listed + [unescape(word) for word in words[2:]], id=id)

    def user(self, name, params="service=imap"):
        return self.ask("USER", escape(name), params)

    def passdb(self, name, params="service=imap"):
        return self.ask("PASS", escape(name), params)

    def list(self, params="service=doveadm"):
        return self.ask("LIST", params)

    def request(self, client, id, *more, cookie=None):
        return self.ask("REQUEST", str(client.pid), str(id), cookie or client.cookie, *more)
