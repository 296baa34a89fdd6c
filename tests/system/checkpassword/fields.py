#!/usr/bin/python3
"""Fields for the client and for the userdb, the uid by its name, a changed user name, a master's request."""
import os
import sys

user, password = os.read(3, 512).split(b"\0")[:2]
name = user.decode()
if os.environ.get("AUTHORIZED") == "1":
    if name.startswith("nobody"):
        sys.exit(3)
    os.environ["AUTHORIZED"] = "2"
elif password != b"secret":
    print(f"wrong password for {name}", file=sys.stderr)
    sys.exit(1)
os.environ.update(USER=name.removesuffix("@alias.test") + ("@real.test" if name.endswith("@alias.test") else ""),
                  HOME=f"/srv/{name}", userdb_uid="vmail", USERDB_GID="5000", Reason="hello  world",
                  allow_nets="10.0.0.0/8", userdb_empty="", nologin="y", empty="",
                  EXTRA="userdb_uid USERDB_GID Reason userdb_empty empty missing "
                        + {"nologin": "nologin", "inside": "allow_nets"}.get(name, ""))
os.execv(sys.argv[1], sys.argv[1:])
