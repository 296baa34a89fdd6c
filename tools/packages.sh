# The Debian packages of this project, and a function that installs the missing ones. Sourced by quickstart and run-tests.

BUILD_PACKAGES="g++ cmake ninja-build pkg-config libfmt-dev libssl-dev libsodium-dev libsqlite3-dev libpam0g-dev
 libcurl4-openssl-dev nlohmann-json3-dev
 libcrypt-dev libseccomp-dev libgtest-dev openssl
 libldap-dev libsasl2-dev"
TEST_PACKAGES="python3 dovecot-core dovecot-imapd dovecot-lmtpd postfix swaks chasquid isync fetchmail curl fail2ban iproute2
 libio-socket-ssl-perl libnet-ssleay-perl util-linux passwd slapd ldap-utils dovecot-ldap cyrus-clients libsasl2-modules gsasl
 clang-format"

# install_missing PACKAGES: installs what dpkg does not know as installed; without root it says what to type.
install_missing() {
    local missing="" package
    for package in $1; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        echo "These packages are missing; install them as root:" >&2
        echo "    apt-get install$missing" >&2
        return 1
    fi
    echo "Installing:$missing"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 $missing >/dev/null
}
