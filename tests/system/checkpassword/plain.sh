#!/bin/sh
# POSIX sh, no extensions of Dovecot: a password file, the user's home, and the reply program with all its arguments.
{ tr '\000' '\n' | { IFS= read -r user; IFS= read -r password
    line=$(grep -F "$user:" /etc/pair/sh-users) || exit 1
    [ "$line" = "$user:$password" ] || exit 1
    USER=$user HOME=/srv/mail/$user
    export USER HOME
    exec "$@"
}; } <&3
