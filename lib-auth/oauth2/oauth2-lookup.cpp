#include "lib-auth/oauth2/oauth2-lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

namespace {
// timeout_msecs = 0: Dovecot waits a minute then, and so does the one who logs in.
constexpr std::chrono::seconds kDefaultTimeout{10};

HttpClient::Options http_options(const OAuth2Config& config, std::string certificate, std::string key) {
    HttpClient::Options options;
    options.timeout = config.timeout.count() != 0 ? config.timeout : kDefaultTimeout;
    options.max_idle = config.max_idle;
    options.max_parallel = config.max_parallel;
    options.user_agent = "culver-oauth2-passdb";
    options.ca_file = config.tls_ca_cert_file;
    options.ca_dir = config.tls_ca_cert_dir;
    options.client_certificate = std::move(certificate);
    options.client_key = std::move(key);
    options.ciphers = config.tls_cipher_suite;
    options.allow_invalid_certificate = config.tls_allow_invalid_cert;
    options.rawlog_dir = config.rawlog_dir;
    return options;
}

bool is_usable_token(std::string_view token) {
    return !token.empty() && token.size() <= kTokenLimit && std::none_of(token.begin(), token.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

bool is_success(const HttpResponse& response) { return response.status / 100 == 2; }

std::unexpected<Error> could_not_tell(std::string_view step, std::string_view why) {
    return fail(ErrorCode::Unavailable, fmt::format("oauth2 failed: {} failed: {}", step, why));
}

TokenAnswer refused(TokenAnswer answer, std::string_view step, std::string_view why) {
    answer.verdict = Verdict::Mismatch;
    answer.reason = fmt::format("oauth2 failed: {} failed: {}", step, why);
    return answer;
}

// The `error` of an answer that is no success (RFC 6749 §5.2, RFC 6750 §3.1).
std::string error_of(const HttpResponse& response) {
    auto fields = JsonObject::parse(response.body, JsonObject::Duplicates::LastWins);
    return fields ? std::string(fields->string("error").substr(0, 100)) : std::string();
}
}  // namespace

OAuth2Lookup::OAuth2Lookup(OAuth2Config config, std::string certificate, std::string key)
    : config_(std::move(config)),
      client_(http_options(config_, std::move(certificate), std::move(key))),
      keys_(config_.key_prefix) {}

bool OAuth2Lookup::is_local() const {
    return config_.introspection == OAuth2Config::Introspection::Local && !config_.use_grant_password;
}

void OAuth2Lookup::debug(const AuthRequest& request, std::string_view text) const {
    if (config_.debug) log_debug(fmt::format("oauth2({}): {}", request.log_identity(), text));
}

Result<TokenAnswer> OAuth2Lookup::check(const AuthRequest& request, std::string_view password) {
    TokenAnswer answer;
    if (config_.use_grant_password) return grant(request, password);
    if (!is_usable_token(password)) return refused({}, "Token validation", "Invalid token");
    answer.token = password;
    if (is_local()) return validate_locally(request, std::move(answer));
    if (!config_.tokeninfo_url.empty()) return ask_tokeninfo(request, std::move(answer));
    return introspect(request, std::move(answer));
}

Result<HttpResponse> OAuth2Lookup::send(const AuthRequest& request, HttpRequest http, const std::string* bearer) {
    // Credentials of the URL take the token's place.
    if (bearer && !url_has_credentials(http.url)) http.headers.emplace_back("Authorization", "Bearer " + *bearer);
    if (config_.send_auth_headers) {
        http.headers.emplace_back("X-Dovecot-Auth-Service", request.service);
        auto endpoint = [](const std::string& address, const std::string& port) {
            return port.empty() ? address : fmt::format("{}:{}", address, port);
        };
        if (!request.local_ip.empty())
            http.headers.emplace_back("X-Dovecot-Auth-Local", endpoint(request.local_ip, request.local_port));
        if (!request.remote_ip.empty())
            http.headers.emplace_back("X-Dovecot-Auth-Remote", endpoint(request.remote_ip, request.remote_port));
    }
    if (http.method == HttpRequest::Method::Post)
        http.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    auto response = client_.perform(http);
    ::explicit_bzero(http.body.data(), http.body.size());
    // 5xx says nothing about the token.
    if (response && response->status >= 500) return fail(ErrorCode::Unavailable, response->reason);
    return response;
}

std::string OAuth2Lookup::client_parameters() const {
    return fmt::format("&client_id={}&client_secret={}", percent_encode(config_.client_id),
                       percent_encode(config_.client_secret.reveal()));
}

// RFC 6749 §4.3: the password for a token.
Result<TokenAnswer> OAuth2Lookup::grant(const AuthRequest& request, std::string_view password) {
    constexpr std::string_view kStep = "Password grant";
    debug(request, "Making grant url request to " + url_for_log(config_.grant_url));
    HttpRequest http;
    http.method = HttpRequest::Method::Post;
    http.url = config_.grant_url;
    http.body = fmt::format("grant_type=password&username={}&password={}{}", percent_encode(request.user),
                            percent_encode(password), client_parameters());
    if (!config_.scope_text.empty()) http.body += "&scope=" + percent_encode(config_.scope_text);
    auto response = send(request, std::move(http), nullptr);
    if (!response) return could_not_tell(kStep, response.error().detail);
    if (!is_success(*response)) {
        std::string error = error_of(*response);
        if (error == "invalid_grant") return refused({}, kStep, error);
        return could_not_tell(kStep, error.empty() ? response->reason + " without error field" : error);
    }
    auto fields = JsonObject::parse(response->body, JsonObject::Duplicates::LastWins);
    if (!fields) return could_not_tell(kStep, fields.error().detail);
    TokenAnswer answer;
    answer.token = fields->string("access_token");
    answer.fields = std::move(*fields);
    if (answer.token.empty()) return could_not_tell(kStep, "OAuth2 token missing from reply");
    if (!is_usable_token(answer.token)) return could_not_tell(kStep, "the reply's token is unusable");
    debug(request, "Password grant succeeded");
    return go_on(request, std::move(answer), kStep);
}

// After a server that gave or knew the token.
Result<TokenAnswer> OAuth2Lookup::go_on(const AuthRequest& request, TokenAnswer so_far, std::string_view step) {
    if (config_.introspection == OAuth2Config::Introspection::Local)
        return validate_locally(request, std::move(so_far));
    if (!config_.introspection_url.empty()) return introspect(request, std::move(so_far));
    return judge(request, std::move(so_far), step);
}

Result<TokenAnswer> OAuth2Lookup::ask_tokeninfo(const AuthRequest& request, TokenAnswer answer) {
    constexpr std::string_view kStep = "Token validation";
    debug(request, "Making token validation lookup to " + url_for_log(config_.tokeninfo_url));
    HttpRequest http;
    http.url = config_.tokeninfo_url + percent_encode(answer.token);
    auto response = send(request, std::move(http), &answer.token);
    if (!response) return could_not_tell(kStep, response.error().detail);
    if (response->status == 400 || response->status == 401) return refused(std::move(answer), kStep, "Invalid token");
    if (!is_success(*response)) return could_not_tell(kStep, response->reason);
    auto fields = JsonObject::parse(response->body, JsonObject::Duplicates::LastWins);
    if (!fields) return could_not_tell(kStep, fields.error().detail);
    const JsonMember* expires = fields->find("expires_in");
    if (expires && !parse_uint64(expires->text))
        return could_not_tell(kStep, fmt::format("Malformed number '{}' in expires_in", expires->text.substr(0, 40)));
    const JsonMember* type = fields->find("token_type");
    if (type && !equals_ignore_case(type->text, "bearer"))
        return could_not_tell(kStep, fmt::format("Expected Bearer token, got '{}'", type->text.substr(0, 40)));
    answer.fields.merge(std::move(*fields));
    debug(request, "Token validation succeeded");
    return go_on(request, std::move(answer), kStep);
}

Result<TokenAnswer> OAuth2Lookup::introspect(const AuthRequest& request, TokenAnswer answer) {
    constexpr std::string_view kStep = "Introspection";
    debug(request, "Making introspection request to " + url_for_log(config_.introspection_url));
    HttpRequest http;
    http.url = config_.introspection_url;
    bool by_header = config_.introspection == OAuth2Config::Introspection::Auth;
    if (config_.introspection == OAuth2Config::Introspection::Get) {
        http.url += percent_encode(answer.token) + client_parameters();
    } else if (config_.introspection == OAuth2Config::Introspection::Post) {
        http.method = HttpRequest::Method::Post;
        http.body = "token=" + percent_encode(answer.token) + client_parameters();
    }
    auto response = send(request, std::move(http), by_header ? &answer.token : nullptr);
    if (!response) return could_not_tell(kStep, response.error().detail);
    if (!is_success(*response)) {
        // Where the token itself opens the door, 401 is about the token; otherwise it is about our own credentials.
        bool about_token = response->status == 401 && by_header && !url_has_credentials(config_.introspection_url);
        if (about_token || error_of(*response) == "invalid_token")
            return refused(std::move(answer), kStep, response->reason);
        return could_not_tell(kStep, response->reason);
    }
    auto fields = JsonObject::parse(response->body, JsonObject::Duplicates::LastWins);
    if (!fields) return could_not_tell(kStep, fields.error().detail);
    answer.fields.merge(std::move(*fields));
    return judge(request, std::move(answer), kStep);
}

Result<TokenAnswer> OAuth2Lookup::validate_locally(const AuthRequest& request, TokenAnswer answer) {
    constexpr std::string_view kStep = "Local validation";
    debug(request, "Attempting to locally validate token");
    auto token = parse_jwt(answer.token);
    if (!token) return refused(std::move(answer), kStep, token.error().detail);
    JwtRules rules{config_.issuers, config_.client_id, config_.scope, config_.scope_text};
    if (auto problem = find_claim_problem(*token, rules, std::time(nullptr)))
        return refused(std::move(answer), kStep, *problem);
    auto key = keys_.find(*token);
    if (!key) {
        if (key.error().code == ErrorCode::NotFound) return refused(std::move(answer), kStep, key.error().detail);
        if (!is_jwt_algorithm(token->algorithm)) return refused(std::move(answer), kStep, key.error().detail);
        return could_not_tell(kStep, key.error().detail);
    }
    if (!(*key)->verifies(token->signing_input, token->signature))
        return refused(std::move(answer), kStep, "Incorrect JWT signature");
    answer.fields.merge(std::move(token->claims));
    return judge(request, std::move(answer), kStep);
}

Result<TokenAnswer> OAuth2Lookup::judge(const AuthRequest& request, TokenAnswer answer, std::string_view step) const {
    std::string problem = activity_problem(answer.fields);
    if (!problem.empty()) return refused(std::move(answer), step, problem);
    const JsonMember* name = answer.fields.find(config_.username_attribute);
    if (!name) return could_not_tell(step, "No username returned");
    AuthRequest owner;
    owner.user = name->text;
    std::string wanted = TRY(expand_for_request(config_.username_format, request));
    std::string given = TRY(expand_for_request(config_.username_format, owner));
    if (given.empty() || wanted != given)
        problem = fmt::format("Username '{}' did not match '{}'", wanted, given.substr(0, 255));
    if (!problem.empty()) return refused(std::move(answer), step, problem);
    problem = scope_problem(answer.fields);
    if (!problem.empty()) {
        answer = refused(std::move(answer), step, problem);
        answer.verdict = Verdict::Disabled;
        return answer;
    }
    answer.verdict = Verdict::Match;
    debug(request, fmt::format("{} succeeded", step));
    return answer;
}

std::string OAuth2Lookup::activity_problem(const JsonObject& fields) const {
    const std::string& attribute = config_.active_attribute;
    const JsonMember* active = fields.find(attribute.empty() ? "active" : std::string_view(attribute));
    if (!active && attribute.empty()) return {};
    if (!active)
        return fmt::format("Provided token is not valid: the answer has no '{}' (active_attribute)", attribute);
    std::string_view wanted = config_.active_value.empty() ? "true" : std::string_view(config_.active_value);
    return active->text == wanted ? std::string() : "Provided token is not valid";
}

std::string OAuth2Lookup::scope_problem(const JsonObject& fields) const {
    const JsonMember* scope = fields.find("scope");
    auto granted = split_words(scope ? std::string_view(scope->text) : std::string_view());
    for (const std::string& wanted : config_.scope)
        if (std::find(granted.begin(), granted.end(), wanted) == granted.end())
            return fmt::format("Token is not valid for scope '{}'{}", config_.scope_text,
                               scope ? "" : " (it names none; `aud` is compared with the setting audience)");
    if (config_.audience.empty()) return {};
    const JsonMember* audience = fields.find("aud");
    bool included = audience && (audience->kind == JsonMember::Kind::List
                                     ? std::find(audience->items.begin(), audience->items.end(), config_.audience) !=
                                           audience->items.end()
                                     : audience->text == config_.audience);
    return included ? std::string() : fmt::format("Token audience does not include '{}'", config_.audience);
}

}  // namespace culver
