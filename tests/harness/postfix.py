"""A real Postfix with the configuration of a tutorial, inside a private machine."""

import os
import re
import subprocess

from .server import wait_for

LOG = "/var/log/postfix.log"


class Postfix:
    def __init__(self, main, master_lines=""):
        """`main`: lines of main.cf. `master_lines`: appended to Debian's master.cf."""
        with open("/etc/postfix/main.cf", "w") as file:
            file.write(main.rstrip() + f"""
compatibility_level = 3.6
maillog_file = {LOG}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
""")
        with open("/usr/share/postfix/master.cf.dist") as dist, open("/etc/postfix/master.cf", "w") as file:
            file.write(dist.read() + "\n" + master_lines + "\n")
        if not os.path.exists("/etc/aliases"):
            with open("/etc/aliases", "w") as file:
                file.write("postmaster: root\n")
        subprocess.run(["newaliases"], check=True, capture_output=True)

    def start(self):
        if subprocess.run(["postfix", "status"], capture_output=True).returncode == 0:
            self.stop()
        result = subprocess.run(["postfix", "start"], capture_output=True, text=True)
        if result.returncode != 0:
            raise AssertionError(f"postfix start: {result.stdout}{result.stderr}{self.log()}")
        wait_for(lambda: "daemon started" in self.log(), "Postfix starts")

    def stop(self):
        subprocess.run(["postfix", "stop"], capture_output=True)

    def reload(self):
        subprocess.run(["postfix", "reload"], check=True, capture_output=True)

    def flush(self):
        subprocess.run(["postqueue", "-f"], check=True, capture_output=True)

    def queue(self):
        return subprocess.run(["postqueue", "-p"], capture_output=True, text=True).stdout

    def log(self):
        try:
            with open(LOG, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout=60.0):
        return wait_for(lambda: re.search(pattern, self.log(), re.M),
                        f"no Postfix log line matches {pattern!r}; the log:\n" + self.log()[-3000:], timeout)
