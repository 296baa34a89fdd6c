#include "lib-auth/ldap/ldap-config.h"

#include <fmt/format.h>
#include <ldap.h>

#include <algorithm>
#include <optional>

#include "lib-auth/password-scheme.h"
#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver {

namespace {
// What the file says, before it is understood. The lines are kept for the errors.
struct Raw {
    std::string hosts, uris, dnpass, tls_require_cert, deref = "never", scope = "subtree";
    std::string user_attrs = "homeDirectory=home,uidNumber=uid,gidNumber=gid";
    std::string pass_attrs = "uid=user,userPassword=password", iterate_attrs = "uid=user";
};

struct TextKey {
    std::string_view name;
    std::string LdapConfig::*member;
};
constexpr TextKey kTexts[] = {
    {"dn", &LdapConfig::dn},
    {"sasl_mech", &LdapConfig::sasl_mech},
    {"sasl_realm", &LdapConfig::sasl_realm},
    {"sasl_authz_id", &LdapConfig::sasl_authz_id},
    {"tls_ca_cert_file", &LdapConfig::tls_ca_cert_file},
    {"tls_ca_cert_dir", &LdapConfig::tls_ca_cert_dir},
    {"tls_cert_file", &LdapConfig::tls_cert_file},
    {"tls_key_file", &LdapConfig::tls_key_file},
    {"tls_cipher_suite", &LdapConfig::tls_cipher_suite},
    {"ldaprc_path", &LdapConfig::ldaprc_path},
    {"base", &LdapConfig::base},
    {"user_filter", &LdapConfig::user_filter},
    {"pass_filter", &LdapConfig::pass_filter},
    {"iterate_filter", &LdapConfig::iterate_filter},
    {"default_pass_scheme", &LdapConfig::default_pass_scheme},
    {"auth_bind_userdn", &LdapConfig::auth_bind_userdn},
};

struct RawKey {
    std::string_view name;
    std::string Raw::*member;
};
constexpr RawKey kRaws[] = {
    {"hosts", &Raw::hosts},
    {"uris", &Raw::uris},
    {"dnpass", &Raw::dnpass},
    {"tls_require_cert", &Raw::tls_require_cert},
    {"deref", &Raw::deref},
    {"scope", &Raw::scope},
    {"user_attrs", &Raw::user_attrs},
    {"pass_attrs", &Raw::pass_attrs},
    {"iterate_attrs", &Raw::iterate_attrs},
};

struct BoolKey {
    std::string_view name;
    bool LdapConfig::*member;
};
constexpr BoolKey kBools[] = {
    {"sasl_bind", &LdapConfig::sasl_bind}, {"tls", &LdapConfig::tls}, {"auth_bind", &LdapConfig::auth_bind}};
// Nothing blocks here whatever they say.
constexpr std::string_view kIgnoredBools[] = {"blocking", "userdb_warning_disable"};

struct NumberKey {
    std::string_view name;
    int LdapConfig::*member;
};
constexpr NumberKey kNumbers[] = {{"ldap_version", &LdapConfig::ldap_version},
                                  {"debug_level", &LdapConfig::debug_level}};

struct Choice {
    std::string_view word;
    int value;
};
constexpr Choice kRequireCert[] = {{"never", LDAP_OPT_X_TLS_NEVER},
                                   {"hard", LDAP_OPT_X_TLS_HARD},
                                   {"demand", LDAP_OPT_X_TLS_DEMAND},
                                   {"allow", LDAP_OPT_X_TLS_ALLOW},
                                   {"try", LDAP_OPT_X_TLS_TRY}};
constexpr Choice kDeref[] = {{"never", LDAP_DEREF_NEVER},
                             {"searching", LDAP_DEREF_SEARCHING},
                             {"finding", LDAP_DEREF_FINDING},
                             {"always", LDAP_DEREF_ALWAYS}};
constexpr Choice kScope[] = {
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
    Reading(const SettingsFile& file, const std::string& path) : file_(file), path_(path), problems_(file.problems) {}

    Result<LdapConfig> finish() {
        for (const FileSetting& setting : file_.settings) set(setting);
        choose("tls_require_cert", raw_.tls_require_cert, kRequireCert, config_.tls_require_cert);
        choose("deref", raw_.deref, kDeref, config_.deref);
        choose("scope", raw_.scope, kScope, config_.scope);
        config_.dnpass = SecretString(raw_.dnpass);
        ::explicit_bzero(raw_.dnpass.data(), raw_.dnpass.size());
        servers();
        attributes("user_attrs", raw_.user_attrs, {}, config_.user_attrs);
        attributes("pass_attrs", raw_.pass_attrs, config_.auth_bind ? "password" : "", config_.pass_attrs);
        attributes("iterate_attrs", raw_.iterate_attrs, {}, config_.iterate_attrs);
        check();
        if (problems_.empty()) return std::move(config_);
        return fail(ErrorCode::InvalidArgument, join(problems_, "; "));
    }

private:
    void problem(std::string_view key, std::string_view text) {
        auto last = std::find_if(file_.settings.rbegin(), file_.settings.rend(),
                                 [&](const FileSetting& setting) { return setting.key == key; });
        if (last == file_.settings.rend()) problems_.push_back(fmt::format("{}: {}", path_, text));
        else problems_.push_back(fmt::format("{}:{}: {}", last->file, last->line, text));
    }

    void set(const FileSetting& setting) {
        auto complain = [&](std::string_view text) {
            problems_.push_back(fmt::format("{}:{}: {}", setting.file, setting.line, text));
        };
        for (const TextKey& key : kTexts)
            if (key.name == setting.key) return void(config_.*key.member = setting.value);
        for (const RawKey& key : kRaws)
            if (key.name == setting.key) return void(raw_.*key.member = setting.value);
        for (const NumberKey& key : kNumbers) {
            if (key.name != setting.key) continue;
            bool all = setting.value == "-1" && key.name == "debug_level";
            auto number = parse_uint32(setting.value);
            if (!all && (!number || *number > 0x7fffffff))
                return complain(fmt::format("Invalid number: {}", setting.value));
            config_.*key.member = all ? -1 : static_cast<int>(*number);
            return;
        }
        bool ignored = std::ranges::find(kIgnoredBools, setting.key) != std::ranges::end(kIgnoredBools);
        const BoolKey* known = std::ranges::find(kBools, setting.key, &BoolKey::name);
        if (!ignored && known == std::ranges::end(kBools))
            return complain(fmt::format("Unknown setting: {}", setting.key));
        bool yes = equals_ignore_case(setting.value, "yes");
        if (!yes && !equals_ignore_case(setting.value, "no"))
            return complain(fmt::format("Invalid boolean: {} (write {} = yes or no)", setting.value, setting.key));
        if (!ignored) config_.*known->member = yes;
    }

    void choose(std::string_view key, const std::string& word, std::span<const Choice> choices, int& out) {
        if (word.empty() && key == "tls_require_cert") return;
        std::string words;
        for (const Choice& choice : choices) {
            if (equals_ignore_case(choice.word, word)) return void(out = choice.value);
            words += (words.empty() ? "" : ", ") + std::string(choice.word);
        }
        problem(key, fmt::format("Unknown {} value '{}' (write one of {})", key, word, words));
    }

    void servers() {
        for (std::string_view uri : split_words(raw_.uris)) config_.uris.emplace_back(uri);
        if (config_.uris.empty())
            for (std::string_view host : split_words(raw_.hosts)) config_.uris.push_back(host_uri(host));
        std::string_view key = raw_.uris.empty() ? "hosts" : "uris";
        if (config_.uris.empty()) return problem(key, "No uris or hosts set");
        if (config_.uris.size() > kServerLimit) problem(key, fmt::format("more than {} servers", kServerLimit));
        for (const std::string& uri : config_.uris) {
            LDAPURLDesc* parts = nullptr;
            bool good = ::ldap_url_parse(uri.c_str(), &parts) == LDAP_URL_SUCCESS && uri.find(",") == uri.npos;
            if (!good) problem(key, fmt::format("'{}' is no LDAP server", uri));
            if (good && config_.tls && std::string_view(parts->lud_scheme) == "ldaps")
                problem("tls", fmt::format("Don't use both tls=yes and ldaps URI ({})", uri));
            ::ldap_free_urldesc(parts);
        }
    }

    void attributes(std::string_view key, const std::string& list, std::string_view skip, LdapAttributes& out) {
        auto parsed = LdapAttributes::parse(list, skip);
        if (parsed) out = std::move(*parsed);
        else problem(key, fmt::format("{}: {}", key, parsed.error().detail));
    }

    // A template that fails for everybody is found at the start.
    void check_template(std::string_view key, const std::string& text) {
        AuthRequest sample;
        sample.user = sample.original_user = "user@example.org";
        auto made = expand_for_request(text, sample);
        if (!made) problem(key, fmt::format("{}: {}", key, made.error().detail));
    }

    void check_filter(std::string_view key, const std::string& filter) {
        check_template(key, filter);
        if (filter.empty()) return problem(key, fmt::format("{} is empty", key));
        auto open = std::ranges::count(filter, '('), close = std::ranges::count(filter, ')');
        if (open != close)
            problem(key, fmt::format("{}: its parentheses do not match: {} '(' and {} ')'", key, open, close));
    }

    void check() {
        if (config_.base.empty()) problem("base", "No base given");
        check_template("base", config_.base);
        check_filter("user_filter", config_.user_filter);
        check_filter("pass_filter", config_.pass_filter);
        check_filter("iterate_filter", config_.iterate_filter);
        check_template("auth_bind_userdn", config_.auth_bind_userdn);
        if (config_.ldap_version != 2 && config_.ldap_version != 3)
            problem("ldap_version", fmt::format("ldap_version = {}: there are 2 and 3", config_.ldap_version));
        if (config_.ldap_version == 2 && config_.tls) problem("tls", "tls=yes requires ldap_version=3");
        if (config_.ldap_version == 2 && config_.sasl_bind)
            problem("sasl_bind", "sasl_bind=yes requires ldap_version=3");
        if (!scheme_of_password("", config_.default_pass_scheme))
            problem("default_pass_scheme", fmt::format("Unknown scheme {}", config_.default_pass_scheme));
    }

    const SettingsFile& file_;
    const std::string& path_;
    std::vector<std::string> problems_;
    LdapConfig config_;
    Raw raw_;
};
}  // namespace

Result<LdapConfig> parse_ldap_config(std::string_view text, const std::string& path, const SettingsFileReader& reader) {
    SettingsFile file = parse_settings_file(text, path, reader);
    return Reading(file, path).finish();
}

}  // namespace culver
