// dovecot-oauth2.conf.ext: what passdb oauth2 reads (docs/oauth2.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/settings-file.h"
#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

struct OAuth2Config {
    enum class Introspection { Auth, Get, Post, Local };

    std::string tokeninfo_url, grant_url, introspection_url, openid_configuration_url;
    Introspection introspection = Introspection::Auth;
    bool force_introspection = false, use_grant_password = false, send_auth_headers = false, debug = false;
    std::string username_format = "%Lu", username_attribute = "email";
    std::string active_attribute, active_value;
    std::string client_id;
    SecretString client_secret;
    std::vector<std::string> scope;  // all of them are wanted
    std::string scope_text, audience;
    std::vector<std::string> issuers;
    std::vector<std::string> pass_attrs;  // key=template words
    std::string key_prefix;               // of local_validation_key_dict: keys lie at <prefix><azp>/<ALG>/<kid>
    std::chrono::milliseconds timeout{0}, max_idle{60'000};
    std::uint32_t max_parallel = 10;
    std::string tls_ca_cert_file, tls_ca_cert_dir, tls_cert_file, tls_key_file, tls_cipher_suite = "HIGH:!SSLv2";
    bool tls_allow_invalid_cert = false;
    std::string rawlog_dir;
};

// The text of the file `path`; `reader` is for its !include. InvalidArgument: every mistake at once, "file:line: what"
// each (lib-auth/settings-table.h), in Dovecot's words where it has some.
Result<OAuth2Config> parse_oauth2_config(std::string_view text, const std::string& path,
                                         const SettingsFileReader& reader = nullptr);

}  // namespace culver
