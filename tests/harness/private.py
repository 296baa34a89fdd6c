"""A private machine for one test: own mounts, network, processes and host name.

`enter()` starts the calling script again inside fresh namespaces. There /etc, /usr and /var are overlays whose changes
are lost at the end, /run, /home and /dev are empty, and the only network is a loopback. So a real Postfix and the
server under test run with the tutorials' own paths and ports and disturb nobody.
"""

import os
import shutil
import subprocess
import sys
import threading

MARK = "CULVER_PRIVATE"
HOSTNAME = "mailhost.maildomain.test"


def enter():
    """Returns only inside the private machine; needs root."""
    if os.environ.get(MARK) == "ready":
        return
    if os.geteuid() != 0:
        print("SKIP: needs root for a private namespace")
        sys.exit(77)
    if os.environ.get(MARK) is None:
        os.environ[MARK] = "inside"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
                              "--mount-proc", sys.executable, *sys.argv])
    _mount_all()
    os.environ[MARK] = "ready"
    _stay_as_init()


def _stay_as_init():
    """Only the child returns. The parent is process 1 here: it buries orphans, and ends with the child's exit code."""
    test = os.fork()
    if test == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == test:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def _run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _mount_all():
    _run("mount", "--make-rprivate", "/")
    base = "/mnt"
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", base)
    for name in ("etc", "usr", "var"):
        upper, work = f"{base}/up-{name}", f"{base}/work-{name}"
        os.makedirs(upper)
        os.makedirs(work)
        _run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}", f"/{name}")
    _private_dev(base)
    for path in ("/run", "/home", "/var/tmp"):
        _run("mount", "-t", "tmpfs", "-o", "mode=1777" if path.endswith("tmp") else "mode=755", "tmpfs", path)
    _run("ip", "link", "set", "lo", "up")
    _run("hostname", HOSTNAME)
    with open("/etc/hosts", "w") as hosts:
        hosts.write(f"127.0.0.1 localhost\n127.0.0.1 {HOSTNAME} mailhost\n")
    with open("/etc/hostname", "w") as name:
        name.write(HOSTNAME + "\n")
    with open("/etc/mailname", "w") as name:
        name.write(HOSTNAME + "\n")


def _private_dev(base):
    """/dev without the machine's, so that a test may have its own /dev/log."""
    dev = f"{base}/dev"
    os.makedirs(dev)
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", dev)
    for node in ("null", "zero", "full", "random", "urandom", "tty"):
        open(f"{dev}/{node}", "w").close()
        _run("mount", "--bind", f"/dev/{node}", f"{dev}/{node}")
    for name in ("shm", "pts"):
        os.makedirs(f"{dev}/{name}", exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{dev}/shm")
    if os.path.isdir("/dev/pts"):
        _run("mount", "--rbind", "/dev/pts", f"{dev}/pts")
    for link, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"),
                         ("ptmx", "pts/ptmx")):
        os.symlink(target, f"{dev}/{link}")
    _run("mount", "--move", dev, "/dev")


def add_user(name, uid=None, home=None, password=None, shell="/bin/bash", system=False):
    """A system user of the private machine with a home directory."""
    subprocess.run(["userdel", name], capture_output=True)
    command = ["useradd", "-s", shell, "-m", "-d", home or f"/home/{name}"]
    if uid is not None:
        command += ["-u", str(uid)]
    if system:
        command += ["-r"]
    subprocess.run([*command, name], check=True, capture_output=True)
    if password:
        subprocess.run(["chpasswd"], input=f"{name}:{password}\n", text=True, check=True)


def install_file(path, text, mode=0o644, owner=None):
    """Puts a file there whole: nobody ever sees a part of it, or one that is not yet his."""
    directory, name = os.path.split(path)
    os.makedirs(directory, exist_ok=True)
    beside = f"{directory}/.{name}.{threading.get_native_id()}"
    with open(beside, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(beside, mode)
    if owner:
        shutil.chown(beside, *owner.split(":"))
    os.rename(beside, path)
