// AuthSettings: the part of a configuration that decides about logins, as plain values.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "lib-config/settings.h"
#include "lib-net/ip-address.h"

namespace culver {

// auth_policy_*, and with what authorities its server is checked.
struct AuthPolicySettings {
    std::string server_url, server_api_header, hash_mech = "sha256", hash_nonce, request_attributes;
    std::uint64_t hash_truncate = 12;
    std::chrono::milliseconds timeout{2000};
    bool check_before_auth = true, check_after_auth = true, report_after_auth = true;
    bool reject_on_fail = false, log_only = false;
    std::string ca_file, ca_dir;
    bool operator==(const AuthPolicySettings&) const = default;
};

struct AuthSettings {
    std::vector<std::string> mechanisms = {"PLAIN"};  // upper case, in the order in which they are offered
    std::vector<std::string> realms;
    std::string default_realm, username_chars, username_format = "%Lu", username_translation;
    std::string master_user_separator, anonymous_username = "anonymous";
    std::string verbose_passwords = "no";
    bool verbose = false, debug = false, debug_passwords = false;
    bool ssl_require_client_cert = false, ssl_username_from_cert = false;
    std::chrono::milliseconds failure_delay{2000};
    std::uint64_t cache_size = 0;
    std::chrono::milliseconds cache_ttl{3'600'000}, cache_negative_ttl{3'600'000};
    std::uint32_t worker_count = 30;
    std::string app_passwords;                 // the file; empty = none
    std::string app_password_required = "no";  // no, yes, or services
    // Of PLAIN and LOGIN, in bytes; more where a token may come as password (passdb oauth2).
    std::size_t password_limit = kHashedPasswordLimit;
    static constexpr std::size_t kHashedPasswordLimit = 1024;  // nothing longer is ever hashed
    std::string openid_configuration_url;                      // of the first passdb that has one; set by the engine
    std::vector<IpAddress> proxy_self;                         // addresses of this host, for proxy_maybe
    std::string password_upgrade_scheme;                       // empty = stored passwords stay as they are
    std::string mail_uid;                                      // whose mail it is when a userdb says nothing
    AuthPolicySettings policy;
    std::vector<PassDbSettings> passdbs;
    std::vector<UserDbSettings> userdbs;

    // Out of the configuration, or of the part of it that holds for one service.
    static AuthSettings from(const Settings& settings);
    bool operator==(const AuthSettings&) const = default;
};

// The settings of each service that `protocol` blocks name, and those of all others under the empty name.
using ServiceAuthSettings = std::vector<std::pair<std::string, AuthSettings>>;
ServiceAuthSettings service_auth_settings(const Settings& settings);

}  // namespace culver
