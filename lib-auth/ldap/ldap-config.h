// dovecot-ldap.conf.ext: what passdb ldap and userdb ldap read (docs/ldap.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/ldap/ldap-attributes.h"
#include "lib-auth/settings-file.h"
#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

struct LdapConfig {
    std::vector<std::string> uris;  // of `uris`, or else made of `hosts`
    std::string dn;
    SecretString dnpass;
    bool sasl_bind = false;
    std::string sasl_mech, sasl_realm, sasl_authz_id;
    bool tls = false;
    std::string tls_ca_cert_file, tls_ca_cert_dir, tls_cert_file, tls_key_file, tls_cipher_suite;
    int tls_require_cert = -1;  // LDAP_OPT_X_TLS_*; -1: as ldap.conf says
    int ldap_version = 3;
    int deref = 0, scope = 2;  // LDAP_DEREF_*, LDAP_SCOPE_*
    int debug_level = 0;
    std::string ldaprc_path;
    std::string base;
    std::string user_filter = "(&(objectClass=posixAccount)(uid=%u))", pass_filter = user_filter;
    std::string iterate_filter = "(objectClass=posixAccount)";
    std::string default_pass_scheme = "CRYPT";
    bool auth_bind = false;
    std::string auth_bind_userdn;
    LdapAttributes user_attrs, pass_attrs, iterate_attrs;
};

// The text of the file `path`; `reader` is for its !include. InvalidArgument: every mistake at once, "file:line: what"
// each (lib-auth/settings-table.h).
Result<LdapConfig> parse_ldap_config(std::string_view text, const std::string& path,
                                     const SettingsFileReader& reader = nullptr);

}  // namespace culver
