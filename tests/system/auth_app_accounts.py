#!/usr/bin/env python3
"""App passwords of system users: what the rules for accounts of PAM and of /etc/shadow have against them holds too."""

import contextlib
import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import culver_alone
from harness.server import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = """auth_mechanisms = plain
auth_app_passwords = /var/lib/pair-app/passwords.sqlite
passdb {
  driver = %s
}
userdb {
  driver = passwd
}
"""
NOTES, HANG = "/var/tmp/pam-notes", "/var/tmp/pam-hang-app"
PASSWORD = "secret"
state = {}


def service(name, *account):
    """Whoever knows a main password is right: only the account's rules differ."""
    private.install_file(f"/etc/pam.d/app-{name}", "auth required pam_unix.so nodelay\n" + "".join(
        f"account {line}\n" for line in account))


def use(passdb):
    if "culver" in state:
        state["culver"].stop()
    state["culver"] = culver_alone(CONFIG % passdb)


def login(password, user="bob", service="unix", rip="192.0.2.5", client=None):
    client = client or state["culver"].new_auth()
    return client.login(sasl.Plain(user, password), f"service={service}\trip={rip}\tno-penalty")


def notes():
    with open(NOTES) as file:
        text = file.read()
    os.truncate(NOTES, 0)
    return text


def test_start():
    folder = os.path.dirname(glob.glob("/lib/*/security/pam_unix.so")[0])
    subprocess.run(["g++", "-std=c++20", "-shared", "-fPIC", "-o", f"{folder}/pam_test.so", f"{HERE}/pam-module.cpp",
                    "-lpam"], check=True)
    private.install_file(NOTES, "", 0o666)
    private.install_file("/etc/pair/access", "- : bob : 192.0.2.66\n+ : ALL : ALL\n")
    service("unix", "required pam_unix.so")
    service("items", "required pam_test.so items prompt=Password:")
    service("access", "required pam_access.so accessfile=/etc/pair/access")
    service("nologin", "required pam_nologin.so", "required pam_permit.so")
    service("expired", "required pam_test.so err=Gone rc=13")
    service("broken", "required pam_test.so rc=4")
    service("crash", "required pam_test.so crash")
    service("hang", f"required pam_test.so hang={HANG}")
    for user in ("bob", "old", "aged"):
        private.add_user(user, password=PASSWORD)
    subprocess.run(["chage", "-E", "1", "old"], check=True)
    subprocess.run(["chage", "-d", "10", "-M", "5", "-I", "3", "aged"], check=True)
    use("pam\n  args = app-%s")
    for user in ("bob", "old", "aged"):
        result = state["culver"].doveadm("auth", "app-password", "add", user)
        assert result.returncode == 0, result
        state[user] = result.stdout.strip()


def test_expiry_decides_as_with_the_main_password():
    for password in (PASSWORD, state["bob"]):
        assert login(password).kind == "OK", password
    for user in ("old", "aged"):
        for password in (PASSWORD, state[user]):
            assert login(password, user).get("code") == "pass_expired", (user, password)
    state["culver"].wait_log(r'Login refused: user=<old>.*: app password "app-1" \(id 2\): matched; '
                             r"pam\(app-%s\): pam_acct_mgmt\(\) failed")
    subprocess.run(["chage", "-E", "-1", "old"], check=True)
    assert login(state["old"], "old").kind == "OK", "not expired any more"
    subprocess.run(["chage", "-E", "1", "old"], check=True)


def test_only_account_management_runs_and_sees_who_and_where_from():
    notes()
    assert login(state["bob"], service="items").kind == "OK"
    said = notes()
    assert said.count("\n") == 1 and said.startswith("account "), said
    assert "user=bob" in said and "rhost=192.0.2.5" in said, said
    assert said.endswith("prompt=Password::\n"), f"a module that asks hears nothing: {said}"


def test_networks_and_nologin():
    for password in (PASSWORD, state["bob"]):
        assert login(password, service="access").kind == "OK"
        assert login(password, service="access", rip="192.0.2.66").kind == "FAIL"
        assert login(password, service="nologin").kind == "OK"
        private.install_file("/etc/nologin", "maintenance\n")
        assert login(password, service="nologin").kind == "FAIL"
        os.unlink("/etc/nologin")


def test_modules_in_trouble_are_a_temporary_failure():
    for name in ("broken", "crash"):
        assert login(state["bob"], service=name).get("code") == "temp_fail", name
    assert login(state["bob"], service="expired").get("code") == "pass_expired"
    assert login(state["bob"]).kind == "OK", "others do not notice"


def test_a_module_that_hangs_keeps_nobody_else_waiting():
    """That it is killed after a minute: auth_pam.py."""
    private.install_file(HANG, "")
    notes()
    client = state["culver"].new_auth()
    waiting = client.start(sasl.Plain("bob", state["bob"]), "service=hang\trip=192.0.2.5\tno-penalty")
    wait_for(lambda: os.path.getsize(NOTES) > 0, "the module hangs")
    assert login(state["bob"]).kind == "OK"
    os.unlink(HANG)
    assert client.reply(waiting).kind == "OK"


def test_shadow_and_passwd_know_when_an_account_expires():
    for driver in ("shadow", "passwd"):
        use(driver)
        assert login(state["bob"]).kind == "OK", driver
        assert login(state["old"], "old").get("code") == "pass_expired", driver
        assert login(state["aged"], "aged").kind == "OK", "only his password is too old"
        state["culver"].wait_log(r"Login refused: user=<old>.*the account has expired \(chage -l\)")


def stop():
    with contextlib.suppress(OSError):
        os.unlink(HANG)
    state["culver"].stop()


CLEANUP = [stop]

if __name__ == "__main__":
    case.main(globals())
