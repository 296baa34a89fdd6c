#include "lib-auth/ldap/ldap-config.h"

#include <fmt/format.h>
#include <ldap.h>

#include <algorithm>

#include "lib-auth/password-scheme.h"
#include "lib-auth/settings-table.h"
#include "lib-config/variables.h"

namespace culver {

namespace {
constexpr SettingWord kRequireCert[] = {{"", -1},
                                        {"never", LDAP_OPT_X_TLS_NEVER},
                                        {"hard", LDAP_OPT_X_TLS_HARD},
                                        {"demand", LDAP_OPT_X_TLS_DEMAND},
                                        {"allow", LDAP_OPT_X_TLS_ALLOW},
                                        {"try", LDAP_OPT_X_TLS_TRY}};
constexpr SettingWord kDeref[] = {{"never", LDAP_DEREF_NEVER},
                                  {"searching", LDAP_DEREF_SEARCHING},
                                  {"finding", LDAP_DEREF_FINDING},
                                  {"always", LDAP_DEREF_ALWAYS}};
constexpr SettingWord kScope[] = {
    {"base", LDAP_SCOPE_BASE}, {"onelevel", LDAP_SCOPE_ONELEVEL}, {"subtree", LDAP_SCOPE_SUBTREE}};

constexpr std::size_t kServerLimit = 32;

// "host", "host:port", "[::1]:port" or a bare IPv6 address, as a URI.
std::string host_uri(std::string_view host) {
    std::size_t first = host.find(':');
    bool bare_ipv6 = !host.starts_with('[') && first != host.npos && host.find(':', first + 1) != host.npos;
    return bare_ipv6 ? fmt::format("ldap://[{}]", host) : fmt::format("ldap://{}", host);
}

class Reading {
public:
    Reading(std::string_view text, const std::string& path, const SettingsFileReader& reader)
        : file_(text, path, reader) {}

    Result<LdapConfig> finish() {
        read();
        servers();
        attributes("user_attrs", user_attrs_, {}, config_.user_attrs);
        attributes("pass_attrs", pass_attrs_, config_.auth_bind ? "password" : "", config_.pass_attrs);
        attributes("iterate_attrs", iterate_attrs_, {}, config_.iterate_attrs);
        check();
        TRY(file_.finish());
        return std::move(config_);
    }

private:
    void read() {
        bool ignored = false;  // nothing blocks here whatever they say
        const SettingRow table[] = {
            {"hosts", &hosts_},
            {"uris", &uris_},
            {"dn", &config_.dn},
            {"dnpass", &config_.dnpass},
            {"sasl_bind", &config_.sasl_bind},
            {"sasl_mech", &config_.sasl_mech},
            {"sasl_realm", &config_.sasl_realm},
            {"sasl_authz_id", &config_.sasl_authz_id},
            {"tls", &config_.tls},
            {"tls_ca_cert_file", &config_.tls_ca_cert_file},
            {"tls_ca_cert_dir", &config_.tls_ca_cert_dir},
            {"tls_cert_file", &config_.tls_cert_file},
            {"tls_key_file", &config_.tls_key_file},
            {"tls_cipher_suite", &config_.tls_cipher_suite},
            {"tls_require_cert", SettingChoice{&config_.tls_require_cert, kRequireCert}},
            {"ldap_version", &config_.ldap_version},
            {"debug_level", &config_.debug_level},
            {"ldaprc_path", &config_.ldaprc_path},
            {"deref", SettingChoice{&config_.deref, kDeref}},
            {"scope", SettingChoice{&config_.scope, kScope}},
            {"base", &config_.base},
            {"user_filter", &config_.user_filter},
            {"pass_filter", &config_.pass_filter},
            {"iterate_filter", &config_.iterate_filter},
            {"user_attrs", &user_attrs_},
            {"pass_attrs", &pass_attrs_},
            {"iterate_attrs", &iterate_attrs_},
            {"default_pass_scheme", &config_.default_pass_scheme},
            {"auth_bind", &config_.auth_bind},
            {"auth_bind_userdn", &config_.auth_bind_userdn},
            {"blocking", &ignored},
            {"userdb_warning_disable", &ignored},
        };
        file_.read(table);
    }

    void servers() {
        config_.uris = uris_;
        if (uris_.empty())
            for (const std::string& host : hosts_) config_.uris.push_back(host_uri(host));
        std::string_view key = uris_.empty() ? "hosts" : "uris";
        if (config_.uris.empty()) return file_.problem(key, "No uris or hosts set");
        if (config_.uris.size() > kServerLimit) file_.problem(key, fmt::format("more than {} servers", kServerLimit));
        for (const std::string& uri : config_.uris) {
            LDAPURLDesc* parts = nullptr;
            bool good = ::ldap_url_parse(uri.c_str(), &parts) == LDAP_URL_SUCCESS && uri.find(",") == uri.npos;
            if (!good) file_.problem(key, fmt::format("'{}' is no LDAP server", uri));
            if (good && config_.tls && std::string_view(parts->lud_scheme) == "ldaps")
                file_.problem("tls", fmt::format("Don't use both tls=yes and ldaps URI ({})", uri));
            ::ldap_free_urldesc(parts);
        }
    }

    void attributes(std::string_view key, const std::string& list, std::string_view skip, LdapAttributes& out) {
        auto parsed = LdapAttributes::parse(list, skip);
        if (parsed) out = std::move(*parsed);
        else file_.problem(key, fmt::format("{}: {}", key, parsed.error().detail));
    }

    // A template that fails for everybody is found at the start.
    void check_template(std::string_view key, const std::string& text) {
        AuthRequest sample;
        sample.user = sample.original_user = "user@example.org";
        auto made = expand_for_request(text, sample);
        if (!made) file_.problem(key, fmt::format("{}: {}", key, made.error().detail));
    }

    void check_filter(std::string_view key, const std::string& filter) {
        check_template(key, filter);
        if (filter.empty()) return file_.problem(key, fmt::format("{} is empty", key));
        auto open = std::ranges::count(filter, '('), close = std::ranges::count(filter, ')');
        if (open != close)
            file_.problem(key, fmt::format("{}: its parentheses do not match: {} '(' and {} ')'", key, open, close));
    }

    void check() {
        if (config_.base.empty()) file_.problem("base", "No base given");
        check_template("base", config_.base);
        check_filter("user_filter", config_.user_filter);
        check_filter("pass_filter", config_.pass_filter);
        check_filter("iterate_filter", config_.iterate_filter);
        check_template("auth_bind_userdn", config_.auth_bind_userdn);
        if (config_.ldap_version != 2 && config_.ldap_version != 3)
            file_.problem("ldap_version", fmt::format("ldap_version = {}: there are 2 and 3", config_.ldap_version));
        if (config_.ldap_version == 2 && config_.tls) file_.problem("tls", "tls=yes requires ldap_version=3");
        if (config_.ldap_version == 2 && config_.sasl_bind)
            file_.problem("sasl_bind", "sasl_bind=yes requires ldap_version=3");
        if (!scheme_of_password("", config_.default_pass_scheme))
            file_.problem("default_pass_scheme", fmt::format("Unknown scheme {}", config_.default_pass_scheme));
    }

    SettingsReader file_;
    LdapConfig config_;
    std::vector<std::string> uris_, hosts_;
    std::string user_attrs_ = "homeDirectory=home,uidNumber=uid,gidNumber=gid";
    std::string pass_attrs_ = "uid=user,userPassword=password", iterate_attrs_ = "uid=user";
};
}  // namespace

Result<LdapConfig> parse_ldap_config(std::string_view text, const std::string& path, const SettingsFileReader& reader) {
    return Reading(text, path, reader).finish();
}

}  // namespace culver
