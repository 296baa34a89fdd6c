#include "lib-auth/oauth2/oauth2-config.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib-auth/http/http-client.h"
#include "lib-auth/settings-table.h"
#include "lib-base/text.h"

namespace culver {

namespace {
using Introspection = OAuth2Config::Introspection;
constexpr SettingWord kModes[] = {{"", static_cast<int>(Introspection::Auth)},
                                  {"auth", static_cast<int>(Introspection::Auth)},
                                  {"get", static_cast<int>(Introspection::Get)},
                                  {"post", static_cast<int>(Introspection::Post)},
                                  {"local", static_cast<int>(Introspection::Local)}};
constexpr std::string_view kKeyDictPrefix = "fs:posix:prefix=";
constexpr std::uint32_t kConnectionLimit = 1000;

void read(SettingsReader& file, OAuth2Config& config) {
    int mode = static_cast<int>(config.introspection);
    std::string key_dict;
    std::uint32_t pipelined = 0;  // one request at a time goes over a connection
    const SettingRow table[] = {
        {"tokeninfo_url", &config.tokeninfo_url},
        {"grant_url", &config.grant_url},
        {"introspection_url", &config.introspection_url},
        {"introspection_mode", SettingChoice{&mode, kModes}},
        {"force_introspection", &config.force_introspection},
        {"use_grant_password", &config.use_grant_password},
        {"openid_configuration_url", &config.openid_configuration_url},
        {"local_validation_key_dict", &key_dict},
        {"username_format", &config.username_format},
        {"username_validation_format", &config.username_format},
        {"username_attribute", &config.username_attribute},
        {"active_attribute", &config.active_attribute},
        {"active_value", &config.active_value},
        {"client_id", &config.client_id},
        {"client_secret", &config.client_secret},
        {"scope", &config.scope_text},
        {"audience", &config.audience},
        {"issuers", &config.issuers},
        {"pass_attrs", &config.pass_attrs},
        {"send_auth_headers", &config.send_auth_headers},
        {"timeout_msecs", &config.timeout},
        {"max_idle_time_msecs", &config.max_idle},
        {"max_parallel_connections", &config.max_parallel},
        {"max_pipelined_requests", &pipelined},
        {"tls_ca_cert_file", &config.tls_ca_cert_file},
        {"tls_ca_cert_dir", &config.tls_ca_cert_dir},
        {"tls_cert_file", &config.tls_cert_file},
        {"tls_key_file", &config.tls_key_file},
        {"tls_cipher_suite", &config.tls_cipher_suite},
        {"tls_allow_invalid_cert", &config.tls_allow_invalid_cert},
        {"rawlog_dir", &config.rawlog_dir},
        {"debug", &config.debug},
    };
    file.read(table);
    config.introspection = static_cast<Introspection>(mode);
    config.max_parallel = std::clamp<std::uint32_t>(config.max_parallel, 1, kConnectionLimit);
    for (std::string_view word : split_words(config.scope_text)) config.scope.emplace_back(word);
    if (key_dict.size() > kKeyDictPrefix.size() && key_dict.starts_with(kKeyDictPrefix))
        config.key_prefix = key_dict.substr(kKeyDictPrefix.size());
    else if (!key_dict.empty())
        file.problem("local_validation_key_dict",
                     fmt::format("local_validation_key_dict: only {}/path/to/keys/ is supported", kKeyDictPrefix));
}

// Whether there is anything to ask about a token.
void check_sources(SettingsReader& file, const OAuth2Config& config) {
    const bool has_server = !config.tokeninfo_url.empty() || !config.introspection_url.empty();
    const bool can_grant = !config.grant_url.empty() && !config.client_id.empty();
    if (!has_server && config.key_prefix.empty() && !can_grant)
        file.problem({}, "Password grant, tokeninfo, introspection URL or validation key dictionary must be given");
    else if (config.introspection == Introspection::Local && config.key_prefix.empty())
        file.problem("introspection_mode", "local_validation_key_dict is required for local introspection.");
    else if (config.introspection != Introspection::Local && !config.use_grant_password && !has_server)
        file.problem({},
                     "no tokeninfo_url and no introspection_url, and neither introspection_mode = local nor "
                     "use_grant_password = yes: nothing can be asked about a token");
    if (config.use_grant_password && !can_grant)
        file.problem("use_grant_password", "use_grant_password needs grant_url and client_id");
}

void check(SettingsReader& file, const OAuth2Config& config) {
    check_sources(file, config);
    if (config.username_attribute.empty()) file.problem("username_attribute", "username_attribute is empty");
    if (config.active_attribute.empty() && !config.active_value.empty())
        file.problem("active_value", "Cannot have empty active_attribute is active_value is set");
    if (config.tls_cert_file.empty() != config.tls_key_file.empty())
        file.problem(config.tls_cert_file.empty() ? "tls_key_file" : "tls_cert_file",
                     "tls_cert_file and tls_key_file belong together");
    for (auto [name, url] : {std::pair<std::string_view, const std::string&>{"tokeninfo_url", config.tokeninfo_url},
                             {"grant_url", config.grant_url},
                             {"introspection_url", config.introspection_url},
                             {"openid_configuration_url", config.openid_configuration_url}}) {
        if (url.empty()) continue;
        if (auto valid = check_http_url(url); !valid)
            file.problem(name, fmt::format("Invalid {}: {}", name, valid.error().detail));
    }
}
}  // namespace

Result<OAuth2Config> parse_oauth2_config(std::string_view text, const std::string& path,
                                         const SettingsFileReader& reader) {
    SettingsReader file(text, path, reader);
    OAuth2Config config;
    read(file, config);
    check(file, config);
    TRY(file.finish());
    return config;
}

}  // namespace culver
