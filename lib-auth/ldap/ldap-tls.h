// The TLS side of connections to LDAP servers: CA files, client certificate and key, read once while authd may still
// read what only root may, and shared by every connection.
#pragma once

#include <ldap.h>

#include <memory>

#include "lib-auth/ldap/ldap-config.h"
#include "lib-base/result.h"

namespace culver {

// What has to be settled before libldap's first call of a process: the name of a user's ldaprc. The error: another one
// was settled already, or threads run that an environment may not change under.
Status begin_ldap_library(const LdapConfig& config);

class LdapTls {
public:
    // Reads the files. InvalidArgument names the setting that libldap or GnuTLS does not take.
    static Result<std::shared_ptr<LdapTls>> load(const LdapConfig& config);
    ~LdapTls();
    LdapTls(const LdapTls&) = delete;
    LdapTls& operator=(const LdapTls&) = delete;

    // Gives a new handle the options and the files. Thread-safe.
    Status apply(LDAP* handle) const;

private:
    explicit LdapTls(const LdapConfig& config) : config_(config) {}
    Status set_options(LDAP* handle) const;

    const LdapConfig config_;
    void* context_ = nullptr;  // of libldap, counted there
};

}  // namespace culver
