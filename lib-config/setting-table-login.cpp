// Settings of connections before login: greeting, log lines, TLS.
#include "lib-config/setting-table.h"

namespace culver {

namespace {
using enum SettingType;
using enum Support;

constexpr SettingSpec kRows[] = {
    {"disable_plaintext_auth", Flag, "yes", Acts,
     "Refuse passwords in the clear, unless the connection is local or encrypted.", Area::Login},
    {"login_access_sockets", Text, "", Later, "Sockets that are asked whether a client may connect (tcpwrap).",
     Area::Login},
    {"login_greeting", Text, "Dovecot (Debian) ready.", Acts, "Text of the greeting.", Area::Greeting},
    {"login_log_format", Text, "%$: %s", Acts, "Log lines of login processes: %$ the elements, %s the text.",
     Area::Login},
    {"login_log_format_elements", Text, "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>", Acts,
     "What these lines tell of a connection.", Area::Login},
    {"login_plugin_dir", Text, "/usr/lib/dovecot/modules/login", Later, "Directory of login plug-ins.", Area::Login},
    {"login_plugins", Text, "", Later, "Login plug-ins.", Area::Login},
    {"login_proxy_max_disconnect_delay", Time, "0", Later, "Spread the end of proxied connections over this time.",
     Area::Login},
    {"login_proxy_max_reconnects", Number, "3", Acts, "How often a proxied connection is tried again.", Area::Login},
    {"login_proxy_notify_path", Text, "proxy-notify", Later, "Socket on which proxies tell of lost connections.",
     Area::Login},
    {"login_proxy_rawlog_dir", Text, "", Later, "Directory for proxied traffic.", Area::Login},
    {"login_proxy_timeout", TimeMs, "30 secs", Acts, "Longest wait for the server behind the proxy.", Area::Login},
    {"login_source_ips", Text, "", Acts, "Source addresses of proxied connections.", Area::Login},
    {"login_trusted_networks", Text, "", Acts,
     "Addresses whose clients count as secured and may say whose client they are.", Area::Greeting},
    {"mail_max_userip_connections", Number, "10", Acts, "Sessions of one user from one address; 0 = no limit.",
     Area::Login},
    {"ssl", Choice, "yes", Acts, "TLS: no, yes (offered), required (no login without it).", Area::Ssl,
     "no yes required"},
    {"ssl_ca", Text, "", Acts, "Authorities of client certificates.", Area::Ssl},
    {"ssl_cert_username_field", Text, "commonName", Acts, "Field of a client certificate with the user name.",
     Area::Ssl},
    {"ssl_cipher_list", Text,
     "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH", Acts,
     "Ciphers up to TLS 1.2, in OpenSSL's form.", Area::Ssl},
    {"ssl_cipher_suites", Text, "", Acts, "Cipher suites of TLS 1.3, in OpenSSL's form; empty = OpenSSL's own.",
     Area::Ssl},
    {"ssl_client_ca_dir", Text, "", Acts, "Directory of authorities for connections that the server makes.", Area::Ssl},
    {"ssl_client_ca_file", Text, "", Acts, "File of authorities for connections that the server makes.", Area::Ssl},
    {"ssl_client_cert", Text, "", Acts, "Certificate for connections that the server makes.", Area::Ssl},
    {"ssl_client_key", Text, "", Acts, "Key of that certificate.", Area::Ssl, {}, true},
    {"ssl_client_require_valid_cert", Flag, "yes", Later, "Check the certificates of servers.", Area::Ssl},
    {"ssl_crypto_device", Text, "", Later, "OpenSSL engine.", Area::Ssl},
    {"ssl_curve_list", Text, "", Acts, "Curves for key exchange; empty = OpenSSL's own.", Area::Ssl},
    {"ssl_min_protocol", Text, "TLSv1.2", Acts, "Oldest version of TLS.", Area::Ssl},
    {"ssl_options", Text, "", Later, "Options: compression, no_ticket.", Area::Ssl},
    {"ssl_prefer_server_ciphers", Flag, "no", Acts, "The server's order of ciphers counts.", Area::Ssl},
    {"ssl_require_crl", Flag, "yes", Acts, "Revocation lists of client certificates must be there.", Area::Ssl},
    {"ssl_verify_client_cert", Flag, "no", Acts, "Ask clients for a certificate.", Area::Ssl},
    {"verbose_ssl", Flag, "no", Acts, "Log each TLS failure and warning.", Area::Ssl},
};
}  // namespace

std::span<const SettingSpec> login_settings() { return kRows; }

}  // namespace culver
