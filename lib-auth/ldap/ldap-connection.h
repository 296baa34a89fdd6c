// LdapConnection: one connection to one LDAP server, by libldap. Blocks, within bounds. One thread at a time.
//
// RFC 4511. Referrals are not followed: they would lead to servers that nobody configured.
#pragma once

#include <ldap.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib-auth/ldap/ldap-attributes.h"
#include "lib-auth/ldap/ldap-config.h"
#include "lib-auth/ldap/ldap-deadline.h"
#include "lib-auth/ldap/ldap-tls.h"
#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

struct LdapTimeouts {
    std::chrono::seconds connect{5};  // each of: TCP, TLS, StartTLS
    std::chrono::seconds bind{5};
    std::chrono::seconds search{10};
    std::chrono::seconds iterate{30};  // until the next entry
};

class LdapConnection {
public:
    // Connects; with tls=yes by StartTLS. Unavailable: this server cannot be reached. `tls` outlives the connection.
    static Result<std::unique_ptr<LdapConnection>> open(const LdapConfig& config, const std::string& uri,
                                                        const LdapTls& tls, const LdapTimeouts& timeouts);
    ~LdapConnection();
    LdapConnection(const LdapConnection&) = delete;
    LdapConnection& operator=(const LdapConnection&) = delete;

    // As `dn` of the configuration, simple or SASL. Unavailable also when the server refuses it: nothing works then.
    Status bind_default();

    // As a user. An empty DN or password is refused without asking: RFC 4513 §5.1.2 calls it "unauthenticated", and
    // servers say yes to it.
    enum class BindAnswer { Accepted, Refused, NoSuchUser };
    struct UserBind {
        BindAnswer answer = BindAnswer::Refused;
        std::string said;  // by the server, for the log
    };
    Result<UserBind> bind_as(const std::string& dn, const SecretString& password);

    // At most `limit` entries. NotFound: there is no such base, or it cannot be one. Unavailable: the connection or the
    // server is of no use any more; Timeout is one of these.
    struct Search {
        std::string base, filter;
        int scope = LDAP_SCOPE_SUBTREE;
        std::vector<std::string> attributes;  // empty: all
        int limit = 2;
    };
    Result<std::vector<LdapEntry>> search(const Search& search);
    // Every entry, page by page (RFC 2696) where the server knows how; `visit` ends it by false.
    Status for_each(const Search& search, const std::function<bool(LdapEntry)>& visit);

    bool is_broken() const { return broken_; }

private:
    LdapConnection(const LdapConfig& config, const LdapTimeouts& timeouts) : config_(config), timeouts_(timeouts) {}
    Status set_options();
    Status bind_simple();
    Status bind_sasl();
    std::unexpected<Error> failure(int rc, std::string_view what, const char* said = nullptr);
    struct Page;
    Result<int> ask(const Search& search, std::chrono::seconds timeout, Page* page,
                    const std::function<bool(LdapEntry)>& visit);
    Result<int> start_search(const Search& search, std::chrono::seconds timeout, Page* page);
    Result<LDAPMessage*> next_message(int number, int all, std::chrono::milliseconds timeout, std::string_view what);
    LdapEntry read_entry(LDAPMessage* message);

    const LdapConfig& config_;
    const LdapTimeouts timeouts_;
    LdapDeadline deadline_;
    LDAP* handle_ = nullptr;
    bool broken_ = false;
};

}  // namespace culver
