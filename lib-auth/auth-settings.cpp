#include "lib-auth/auth-settings.h"

#include <algorithm>

#include "lib-base/text.h"

namespace culver {

namespace {
AuthPolicySettings policy_from(const Settings& settings) {
    AuthPolicySettings out;
    out.server_url = settings.string("auth_policy_server_url");
    out.server_api_header = settings.string("auth_policy_server_api_header");
    out.hash_mech = settings.string("auth_policy_hash_mech");
    out.hash_nonce = settings.string("auth_policy_hash_nonce");
    out.hash_truncate = settings.number("auth_policy_hash_truncate");
    out.request_attributes = settings.string("auth_policy_request_attributes");
    out.timeout = std::chrono::milliseconds(settings.number("auth_policy_server_timeout_msecs"));
    out.check_before_auth = settings.boolean("auth_policy_check_before_auth");
    out.check_after_auth = settings.boolean("auth_policy_check_after_auth");
    out.report_after_auth = settings.boolean("auth_policy_report_after_auth");
    out.reject_on_fail = settings.boolean("auth_policy_reject_on_fail");
    out.log_only = settings.boolean("auth_policy_log_only");
    out.ca_file = settings.string("ssl_client_ca_file");
    out.ca_dir = settings.string("ssl_client_ca_dir");
    return out;
}
}  // namespace

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
    out.password_upgrade_scheme = settings.string("auth_password_upgrade_scheme");
    out.mail_uid = settings.string("mail_uid");
    out.policy = policy_from(settings);
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

ServiceAuthSettings service_auth_settings(const Settings& settings) {
    ServiceAuthSettings out;
    std::string other = "other";
    for (const std::string& name : settings.protocol_names()) {
        out.emplace_back(name, AuthSettings::from(*settings.for_filter({name, {}, {}, {}})));
        other += '-' + name;
    }
    // A service that no block names: only blocks like `protocol !imap` apply.
    if (!out.empty()) out.emplace_back("", AuthSettings::from(*settings.for_filter({other, {}, {}, {}})));
    return out;
}

}  // namespace culver
