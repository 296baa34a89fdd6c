#!/usr/bin/python3
"""Writes what it was given into the file named by its first argument, and does what the user's name says.

exit-N, kill-N: ends so. reply-N: answers, and ends so. raw: the password is "N:bytes" for descriptor 4, as
Python escapes them. sleep-N, deaf
(never reads), loud (a lot on both outputs), flood (too long an answer), orphan (leaves a child that holds the pipes),
setuid, insecure. Others: yes, if the password is "secret".
"""
import json
import os
import resource
import signal
import sys
import time

OWN = ("AUTH_PID", "PATH", "TZ", "LC_CTYPE", "ORIG_UID")


def report(data):
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    with open(sys.argv[1], "a") as file:
        file.write(json.dumps({
            "argv": sys.argv[2:-1], "reply": os.path.basename(sys.argv[-1]), "input": data.decode("latin-1"),
            "environment": {key: value for key, value in os.environ.items() if key not in OWN},
            "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if int(fd) < 5),
            "open": sorted(int(fd) for fd in os.listdir("/proc/self/fd")),
            "ids": [os.getresuid(), os.getresgid()], "cwd": os.getcwd(), "umask": os.umask(0o77),
            "capabilities": status["CapEff"], "ignored": status["SigIgn"],
            "core": resource.getrlimit(resource.RLIMIT_CORE)[0]}) + "\n")


def answer():
    os.execv(sys.argv[-1], sys.argv[-1:])


user = ""
if os.environ.get("MIRROR_DEAF") != "1":
    received = os.read(3, 4096)
    report(received)
    user, password = received.decode("latin-1").split("\0")[:2]
verb, _, number = user.partition("-")
number = int(number) if number.isdigit() else 0
if verb == "exit":
    sys.exit(number)
elif verb == "kill":
    os.kill(os.getpid(), number)
elif verb == "reply":
    os.write(4, b"user=%s\tuserdb_uid=5000\tuserdb_gid=5000\t" % user.encode())
    sys.exit(number)
elif verb == "raw":
    code, _, text = password.partition(":")
    os.write(4, text.encode().decode("unicode_escape").encode("latin-1"))
    sys.exit(int(code))
elif verb == "flood":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    while True:
        os.write(4, b"x=" + b"y" * 4000 + b"\t")
elif verb == "loud":
    os.write(2, b"a line of complaint\n" * 20000)
    os.write(1, b"a line of output\n" * 20000)
elif verb == "sleep":
    if os.fork() == 0:
        with open(sys.argv[1] + ".child", "w") as file:
            file.write(str(os.getpid()))
        time.sleep(300)
        os._exit(0)
    time.sleep(number)
elif verb == "orphan":
    if os.fork() == 0:
        time.sleep(300)
        os._exit(0)
if os.environ.get("AUTHORIZED") == "1":
    if user.startswith("nobody"):
        sys.exit(3)
    if verb != "keep":
        os.environ["AUTHORIZED"] = "2"
elif password != "secret":
    sys.exit(1)
os.environ["USER"], os.environ["HOME"] = user, "/srv/" + user
if os.environ.get("CREDENTIALS_LOOKUP") == "1" and verb != "bare":
    os.environ["password"], os.environ["EXTRA"] = "{PLAIN}secret", "password"
if verb in ("setuid", "insecure"):
    if verb == "insecure":
        os.environ["INSECURE_SETUID"] = "1"
    os.setgid(5000)
    os.setuid(5000)
if verb == "tab":
    os.environ["USER"] = "a\tb"
if verb == "lost":
    del os.environ["ORIG_UID"]
answer()
