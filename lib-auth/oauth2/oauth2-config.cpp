#include "lib-auth/oauth2/oauth2-config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "lib-auth/http/http-client.h"
#include "lib-auth/settings-file.h"
#include "lib-base/text.h"

namespace culver {

namespace {
struct TextKey {
    std::string_view name;
    std::string OAuth2Config::*member;
};
constexpr TextKey kTexts[] = {
    {"tokeninfo_url", &OAuth2Config::tokeninfo_url},
    {"grant_url", &OAuth2Config::grant_url},
    {"introspection_url", &OAuth2Config::introspection_url},
    {"openid_configuration_url", &OAuth2Config::openid_configuration_url},
    {"username_format", &OAuth2Config::username_format},
    {"username_validation_format", &OAuth2Config::username_format},
    {"username_attribute", &OAuth2Config::username_attribute},
    {"active_attribute", &OAuth2Config::active_attribute},
    {"active_value", &OAuth2Config::active_value},
    {"client_id", &OAuth2Config::client_id},
    {"scope", &OAuth2Config::scope_text},
    {"audience", &OAuth2Config::audience},
    {"tls_ca_cert_file", &OAuth2Config::tls_ca_cert_file},
    {"tls_ca_cert_dir", &OAuth2Config::tls_ca_cert_dir},
    {"tls_cert_file", &OAuth2Config::tls_cert_file},
    {"tls_key_file", &OAuth2Config::tls_key_file},
    {"tls_cipher_suite", &OAuth2Config::tls_cipher_suite},
    {"rawlog_dir", &OAuth2Config::rawlog_dir},
};
struct FlagKey {
    std::string_view name;
    bool OAuth2Config::*member;
};
constexpr FlagKey kFlags[] = {
    {"force_introspection", &OAuth2Config::force_introspection},
    {"use_grant_password", &OAuth2Config::use_grant_password},
    {"send_auth_headers", &OAuth2Config::send_auth_headers},
    {"debug", &OAuth2Config::debug},
    {"tls_allow_invalid_cert", &OAuth2Config::tls_allow_invalid_cert},
};
constexpr std::string_view kKeyDictPrefix = "fs:posix:prefix=";

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> out;
    for (std::string_view word : split_words(text)) out.emplace_back(word);
    return out;
}

std::unexpected<Error> invalid(std::string text) { return fail(ErrorCode::InvalidArgument, std::move(text)); }

Status set_mode(OAuth2Config& config, std::string_view value) {
    using enum OAuth2Config::Introspection;
    if (value.empty() || value == "auth") config.introspection = Auth;
    else if (value == "get") config.introspection = Get;
    else if (value == "post") config.introspection = Post;
    else if (value == "local") config.introspection = Local;
    else
        return invalid(
            fmt::format("Invalid value '{}' for introspection mode, must be on auth, get, post or local", value));
    return {};
}

Status set_number(OAuth2Config& config, std::string_view key, std::string_view value) {
    auto number = parse_uint32(value);
    if (!number) return invalid(fmt::format("{}: '{}' is no number", key, value));
    if (key == "timeout_msecs") config.timeout = std::chrono::milliseconds(*number);
    else if (key == "max_idle_time_msecs") config.max_idle = std::chrono::milliseconds(*number);
    else if (key == "max_parallel_connections") config.max_parallel = std::clamp<std::uint32_t>(*number, 1, 1000);
    return {};  // max_pipelined_requests: one request at a time goes over a connection
}

Status set_flag(bool& flag, std::string_view key, std::string_view value) {
    std::string word = to_lower(value);
    if (word == "yes" || word == "y" || word == "true" || word == "1") flag = true;
    else if (word == "no" || word == "n" || word == "false" || word == "0") flag = false;
    else return invalid(fmt::format("{}: '{}' is neither yes nor no", key, value));
    return {};
}

Status set(OAuth2Config& config, std::string_view key, std::string_view value) {
    for (const TextKey& known : kTexts) {
        if (known.name != key) continue;
        config.*known.member = value;
        return {};
    }
    for (const FlagKey& known : kFlags)
        if (known.name == key) return set_flag(config.*known.member, key, value);
    if (key == "client_secret") config.client_secret = SecretString(value);
    else if (key == "issuers") config.issuers = words_of(value);
    else if (key == "pass_attrs") config.pass_attrs = words_of(value);
    else if (key == "introspection_mode") return set_mode(config, value);
    else if (key == "timeout_msecs" || key == "max_idle_time_msecs" || key == "max_parallel_connections" ||
             key == "max_pipelined_requests")
        return set_number(config, key, value);
    else if (key == "local_validation_key_dict") {
        if (!value.empty() && (!value.starts_with(kKeyDictPrefix) || value.size() == kKeyDictPrefix.size()))
            return invalid(
                fmt::format("local_validation_key_dict: only {}/path/to/keys/ is supported", kKeyDictPrefix));
        config.key_prefix = value.empty() ? value : value.substr(kKeyDictPrefix.size());
    } else {
        return invalid(fmt::format("Unknown setting: {}", key));
    }
    return {};
}

Status check(const OAuth2Config& config) {
    bool can_grant = !config.grant_url.empty() && !config.client_id.empty();
    if (config.tokeninfo_url.empty() && config.introspection_url.empty() && config.key_prefix.empty() && !can_grant)
        return invalid("Password grant, tokeninfo, introspection URL or validation key dictionary must be given");
    if (config.use_grant_password && !can_grant) return invalid("use_grant_password needs grant_url and client_id");
    if (config.introspection == OAuth2Config::Introspection::Local) {
        if (config.key_prefix.empty()) return invalid("local_validation_key_dict is required for local introspection.");
    } else if (!config.use_grant_password && config.tokeninfo_url.empty() && config.introspection_url.empty()) {
        return invalid(
            "no tokeninfo_url and no introspection_url, and neither introspection_mode = local nor "
            "use_grant_password = yes: nothing can be asked about a token");
    }
    if (config.username_attribute.empty()) return invalid("username_attribute is empty");
    if (config.active_attribute.empty() && !config.active_value.empty())
        return invalid("Cannot have empty active_attribute is active_value is set");
    if (config.tls_cert_file.empty() != config.tls_key_file.empty())
        return invalid("tls_cert_file and tls_key_file belong together");
    for (auto [name, url] : {std::pair<std::string_view, const std::string&>{"tokeninfo_url", config.tokeninfo_url},
                             {"grant_url", config.grant_url},
                             {"introspection_url", config.introspection_url},
                             {"openid_configuration_url", config.openid_configuration_url}}) {
        if (url.empty()) continue;
        if (auto valid = check_http_url(url); !valid)
            return invalid(fmt::format("Invalid {}: {}", name, valid.error().detail));
    }
    return {};
}
}  // namespace

Result<OAuth2Config> parse_oauth2_config(std::string_view text, const std::string& path) {
    SettingsFile file = parse_settings_file(text, path);
    if (!file.problems.empty()) return invalid(file.problems.front());
    OAuth2Config config;
    for (FileSetting& setting : file.settings) {
        auto done = set(config, setting.key, setting.value);
        ::explicit_bzero(setting.value.data(), setting.value.size());
        if (!done) return invalid(fmt::format("{} line {}: {}", setting.file, setting.line, done.error().detail));
    }
    config.scope = words_of(config.scope_text);
    if (auto whole = check(config); !whole) return invalid(fmt::format("{}: {}", path, whole.error().detail));
    return config;
}

}  // namespace culver
