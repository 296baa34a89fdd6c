// AuthSettings: the part of a configuration that decides about logins, as plain values.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "lib-config/settings.h"
#include "lib-net/ip-address.h"

namespace culver {

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
    std::string app_passwords;                      // the file; empty = none
    std::string app_password_required = "no";       // no, yes, or services
    // Of PLAIN and LOGIN, in bytes; more where a token may come as password (passdb oauth2).
    std::size_t password_limit = kHashedPasswordLimit;
    static constexpr std::size_t kHashedPasswordLimit = 1024;  // nothing longer is ever hashed
    std::string openid_configuration_url;  // of the first passdb that has one; set by the engine
    std::vector<IpAddress> proxy_self;  // addresses of this host, for proxy_maybe
    std::string mail_uid;  // whose mail it is when a userdb says nothing
    std::vector<PassDbSettings> passdbs;
    std::vector<UserDbSettings> userdbs;

    static AuthSettings from(const Settings& settings);
};

}  // namespace culver
