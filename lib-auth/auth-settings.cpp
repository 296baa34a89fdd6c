#include "lib-auth/auth-settings.h"

#include <algorithm>

#include "lib-base/text.h"

namespace culver {

AuthSettings AuthSettings::from(const Settings& settings) {
    AuthSettings out;
    out.mechanisms.clear();
    for (const std::string& word : settings.words("auth_mechanisms")) out.mechanisms.push_back(to_upper(word));
    out.realms = settings.words("auth_realms");
    out.default_realm = settings.string("auth_default_realm");
    out.username_chars = settings.string("auth_username_chars");
    out.username_format = settings.string("auth_username_format");
    out.username_translation = settings.string("auth_username_translation");
    out.master_user_separator = settings.string("auth_master_user_separator");
    out.anonymous_username = settings.string("auth_anonymous_username");
    out.verbose_passwords = settings.string("auth_verbose_passwords");
    out.debug_passwords = settings.boolean("auth_debug_passwords");
    // As in Dovecot, each of these switches the one before it on.
    out.debug = settings.boolean("auth_debug") || out.debug_passwords;
    out.verbose = settings.boolean("auth_verbose") || out.debug;
    out.ssl_require_client_cert = settings.boolean("auth_ssl_require_client_cert");
    out.ssl_username_from_cert = settings.boolean("auth_ssl_username_from_cert");
    out.failure_delay = settings.time("auth_failure_delay");
    out.cache_size = settings.size("auth_cache_size");
    out.cache_ttl = settings.time("auth_cache_ttl");
    out.cache_negative_ttl = settings.time("auth_cache_negative_ttl");
    out.worker_count =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(settings.number("auth_worker_max_count"), 1, 256));
    out.app_passwords = settings.string("auth_app_passwords");
    out.app_password_required = settings.string("auth_app_password_required");
    for (const std::string& word : settings.words("auth_proxy_self"))
        if (auto address = IpAddress::parse(word)) out.proxy_self.push_back(*address);
    out.mail_uid = settings.string("mail_uid");
    out.passdbs = settings.passdbs();
    out.userdbs = settings.userdbs();
    for (const PassDbSettings& passdb : out.passdbs)
        if (passdb.driver == "oauth2") out.password_limit = 8192;
    for (UserDbSettings& db : out.userdbs) {
        db.first_valid_uid = static_cast<std::uint32_t>(settings.number("first_valid_uid"));
        db.last_valid_uid = static_cast<std::uint32_t>(settings.number("last_valid_uid"));
    }
    return out;
}

}  // namespace culver
