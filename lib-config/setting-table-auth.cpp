// Settings of authentication.
#include "lib-config/setting-table.h"

namespace culver {

namespace {
using enum SettingType;
using enum Support;

constexpr SettingSpec kRows[] = {
    {"auth_anonymous_username", Text, "anonymous", Acts, "User name that anonymous logins get.", Area::Auth},
    {"auth_app_password_required", Text, "no", Acts,
     "Logins that must use an app password: no, yes, or a list of services. Culver's own.", Area::Auth},
    {"auth_app_passwords", Text, "", Acts, "SQLite file of app passwords; empty = none. Culver's own.", Area::Auth},
    {"auth_cache_negative_ttl", Time, "1 hours", Acts,
     "How long the cache remembers that a user is unknown or the password wrong.", Area::Auth},
    {"auth_cache_size", Size, "0", Acts, "Memory for the cache of password look-ups; 0 = no cache.", Area::Auth},
    {"auth_cache_ttl", Time, "1 hours", Acts, "How long the cache remembers a successful look-up.", Area::Auth},
    {"auth_cache_verify_password_with_worker", Flag, "no", Later, "Verify cached password hashes in worker processes.",
     Area::Auth},
    {"auth_debug", Flag, "no", Acts, "Log each step of authentication.", Area::AuthLogin},
    {"auth_debug_passwords", Flag, "no", Acts, "Log passwords with auth_debug; never leave it on.", Area::Auth},
    {"auth_default_realm", Text, "", Acts, "Realm added to user names that have none.", Area::Auth},
    {"auth_failure_delay", Time, "2 secs", Acts, "How long the answer to a wrong password is held back.", Area::Auth},
    {"auth_gssapi_hostname", Text, "", Later, "Host name of the Kerberos service.", Area::Auth},
    {"auth_krb5_keytab", Text, "", Later, "Kerberos keytab file.", Area::Auth},
    {"auth_master_user_separator", Text, "", Acts, "Character between user and master user in a login name.",
     Area::Auth},
    {"auth_mechanisms", Text, "plain", Acts, "SASL mechanisms that are offered, in this order.", Area::Auth},
    {"auth_password_upgrade_scheme", Text, "", Acts,
     "Scheme in which a login stores its password anew if it has another one; empty = never. Culver's own.",
     Area::Auth},
    {"auth_policy_check_after_auth", Flag, "yes", Acts, "Ask the policy server after the password was checked.",
     Area::Auth},
    {"auth_policy_check_before_auth", Flag, "yes", Acts, "Ask the policy server before the password is checked.",
     Area::Auth},
    {"auth_policy_hash_mech", Text, "sha256", Acts, "Hash of the password that the policy server gets.", Area::Auth},
    {"auth_policy_hash_nonce", Text, "", Acts, "Secret mixed into that hash.", Area::Auth, {}, true},
    {"auth_policy_hash_truncate", Number, "12", Acts, "Bits of that hash that are sent.", Area::Auth},
    {"auth_policy_log_only", Flag, "no", Acts, "Log what the policy server says without acting on it.", Area::Auth},
    {"auth_policy_reject_on_fail", Flag, "no", Acts, "Refuse logins when the policy server does not answer.",
     Area::Auth},
    {"auth_policy_report_after_auth", Flag, "yes", Acts, "Report results to the policy server.", Area::Auth},
    {"auth_policy_request_attributes", Text,
     "login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} device_id=%{client_id} protocol=%s "
     "session_id=%{session}",
     Acts, "What the policy server is told.", Area::Auth},
    {"auth_policy_server_api_header",
     Text,
     "",
     Acts,
     "HTTP header with which the policy server is asked.",
     Area::Auth,
     {},
     true},
    {"auth_policy_server_timeout_msecs", Number, "2000", Acts, "Longest wait for the policy server, in milliseconds.",
     Area::Auth},
    {"auth_policy_server_url", Text, "", Acts, "URL of the policy server.", Area::Auth},
    {"auth_proxy_self", Text, "", Acts, "Address that proxy_maybe takes for this host.", Area::Auth},
    {"auth_realms", Text, "", Acts, "Realms that SASL mechanisms offer.", Area::Auth},
    {"auth_ssl_require_client_cert", Flag, "no", Acts, "Log nobody in without a valid client certificate.",
     Area::AuthLogin},
    {"auth_ssl_username_from_cert", Flag, "no", Acts, "Take the user name from the client certificate.",
     Area::AuthLogin},
    {"auth_stats", Flag, "no", Later, "Count authentication for the old statistics.", Area::Auth},
    {"auth_use_winbind", Flag, "no", Later, "Use winbind for NTLM and SPNEGO.", Area::Auth},
    {"auth_username_chars", Text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@", Acts,
     "Characters a user name may have; empty = any.", Area::Auth},
    {"auth_username_format", Text, "%Lu", Acts, "How user names are made uniform before look-ups; %Lu lower-cases.",
     Area::Auth},
    {"auth_username_translation", Text, "", Acts, "Characters to replace in user names: from, to, from, to ...",
     Area::Auth},
    {"auth_verbose", Flag, "no", Acts, "Log why each failed login failed.", Area::AuthLogin},
    {"auth_verbose_passwords", Text, "no", Acts,
     "Log wrong passwords: no, plain, or sha1, each with an optional :length.", Area::Auth},
    {"auth_winbind_helper_path", Text, "/usr/bin/ntlm_auth", Later, "The ntlm_auth program of Samba.", Area::Auth},
    {"auth_worker_max_count", Number, "30", Acts, "Threads for slow look-ups (PAM, SQL) at most.", Area::Auth},
};
}  // namespace

std::span<const SettingSpec> auth_settings() { return kRows; }

}  // namespace culver
