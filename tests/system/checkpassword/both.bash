#!/bin/bash
# As published for Dovecot: one script as passdb and userdb, lower-case names, exit codes 1, 3 and 111.
reply="$1"
[ "$reply" = test ] && reply=/bin/true
IFS= read -d $'\x0' -r -u 3 user
IFS= read -d $'\x0' -r -u 3 password

[ -r /etc/pair/sh-users ] || exit 111
line=$(grep -i "^$user:" /etc/pair/sh-users)
if [ "$AUTHORIZED" = 1 ]; then
    [ -n "$line" ] || exit 3
    export AUTHORIZED=2
    [ -n "$CREDENTIALS_LOOKUP" ] && { export password="{PLAIN}${line#*:}"; EXTRA="password $EXTRA"; }
else
    [ -n "$line" ] && [ "${line#*:}" = "$password" ] || exit 1
fi
export USER=$(echo "$user" | tr A-Z a-z)
export HOME="/srv/mail/${USER#*@}/${USER%@*}"
export userdb_uid=5000 userdb_gid=5000
export userdb_quota_rule='*:storage=1G' userdb_mail="maildir:$HOME/Maildir"
export EXTRA="userdb_uid userdb_gid userdb_quota_rule userdb_mail $EXTRA"
exec $reply
