#include "lib-auth/auth-policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "lib-auth/http/http-client.h"
#include "lib-auth/http/json.h"
#include "lib-auth/schemes/digest.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver {

namespace {
constexpr std::size_t kParallel = 100, kDepthLimit = 16;
constexpr std::chrono::seconds kMaxIdle{10};
// A client is given up after 150 seconds; a longer tarpit could not be told from a dead server.
constexpr std::int64_t kTarpitLimit = 140;

std::optional<schemes::Digest> digest_of(std::string_view name) {
    using schemes::Digest;
    static constexpr std::pair<std::string_view, Digest> kDigests[] = {{"md4", Digest::Md4},
                                                                       {"md5", Digest::Md5},
                                                                       {"sha1", Digest::Sha1},
                                                                       {"sha256", Digest::Sha256},
                                                                       {"sha512", Digest::Sha512}};
    for (auto [known, kind] : kDigests)
        if (known == name) return kind;
    return std::nullopt;
}

std::unexpected<Error> invalid(std::string text) { return fail(ErrorCode::InvalidArgument, std::move(text)); }

// The whole user name for which the login is: of a master login, whose mail it is. A name that the rules for names
// refuse is none.
std::string requested_user(const AuthRequest& request) {
    if (request.translated_user.empty()) return {};
    return request.login_user.empty() ? request.user : request.login_user;
}

std::string url_for(const std::string& url, std::string_view command) {
    std::string_view joint = url.ends_with('&') || url.ends_with('?') ? "" : url.find('?') != url.npos ? "&" : "?";
    return fmt::format("{}{}command={}", url, joint, command);
}
}  // namespace

AuthPolicy::AuthPolicy(AuthPolicySettings settings) : settings_(std::move(settings)) {
    HttpClient::Options options;
    options.timeout = std::max(settings_.timeout, std::chrono::milliseconds(1));
    options.max_idle = kMaxIdle;
    options.max_parallel = kParallel;
    options.user_agent = "culver-auth-policy";
    options.ca_file = settings_.ca_file;
    options.ca_dir = settings_.ca_dir;
    client_ = std::make_unique<HttpClient>(std::move(options));
}
AuthPolicy::~AuthPolicy() = default;

Result<std::unique_ptr<AuthPolicy>> AuthPolicy::create(const AuthPolicySettings& settings) {
    if (settings.server_url.empty()) return nullptr;
    if (auto valid = check_http_url(settings.server_url); !valid)
        return invalid(fmt::format("auth_policy_server_url: {}", valid.error().detail));
    if (settings.hash_nonce.empty()) return invalid("auth_policy_hash_nonce must be set when policy server is used");
    auto digest = digest_of(settings.hash_mech);
    if (!digest) return invalid("invalid auth_policy_hash_mech given: use md4, md5, sha1, sha256 or sha512");
    std::size_t bits = 8 * schemes::digest_size(*digest);
    if (settings.hash_truncate >= bits)
        return invalid(fmt::format("auth_policy_hash_truncate is not smaller than digest size ({} >= {})",
                                   settings.hash_truncate, bits));
    std::unique_ptr<AuthPolicy> policy(new AuthPolicy(settings));
    TRY(policy->read_attributes());
    if (settings.log_only)
        log_warning(
            "auth-policy: Currently in log-only mode. Ignoring tarpit and disconnect instructions from policy "
            "server");
    return policy;
}

Status AuthPolicy::read_attributes() {
    auto words = split_words(settings_.request_attributes);
    std::sort(words.begin(), words.end(), [](std::string_view a, std::string_view b) {
        return a.substr(0, a.find('=')) < b.substr(0, b.find('='));
    });
    for (std::string_view word : words) {
        std::size_t equals = word.find('=');
        if (equals == word.npos || equals == 0)
            return invalid(fmt::format("auth_policy_request_attributes contains invalid value: '{}'", word));
        Attribute attribute;
        for (std::string_view part : split(word.substr(0, equals), '/')) attribute.path.emplace_back(part);
        if (attribute.path.size() > kDepthLimit) return invalid("auth_policy_request_attributes: nested too deeply");
        attribute.value = word.substr(equals + 1);
        attributes_.push_back(std::move(attribute));
    }
    return {};
}

std::string AuthPolicy::hash_password(const AuthPolicySettings& settings, std::string_view user,
                                      std::string_view password) {
    std::string text = settings.hash_nonce;
    text += user;
    text += '\0';
    text += password;
    std::string hash = schemes::digest(digest_of(settings.hash_mech).value_or(schemes::Digest::Sha256), text);
    ::explicit_bzero(text.data(), text.size());
    std::size_t bits = settings.hash_truncate;
    if (bits == 0 || bits >= 8 * hash.size()) return hex_encode(hash);
    hash.resize((bits + 7) / 8);
    // The first bits, as a number.
    unsigned shift = static_cast<unsigned>(8 * hash.size() - bits), carried = 0;
    for (char& c : hash) {
        auto byte = static_cast<unsigned char>(c);
        c = static_cast<char>(carried | byte >> shift);
        carried = byte << (8 - shift) & 0xff;
    }
    return hex_encode(hash);
}

Result<std::string> AuthPolicy::describe(const AuthRequest& request, const Outcome* outcome) const {
    auto lookup = [&](std::string_view name) -> std::optional<std::string> {
        if (name == "requested_username") return requested_user(request);
        if (name == "hashed_password")
            return hash_password(settings_, requested_user(request), request.password.reveal());
        return request.variable(name);
    };
    std::string json = "{";
    std::vector<std::string> open;  // the objects that the last attribute stands in
    for (const Attribute& attribute : attributes_) {
        std::size_t same = 0, groups = attribute.path.size() - 1;
        while (same < open.size() && same < groups && open[same] == attribute.path[same]) ++same;
        for (; open.size() > same; open.pop_back()) json += '}';
        if (json.back() != '{') json += ',';
        for (; open.size() < groups; open.push_back(attribute.path[open.size()]))
            json += json_quote(attribute.path[open.size()]) + ":{";
        json += json_quote(attribute.path.back()) + ':' + json_quote(TRY(expand_variables(attribute.value, lookup)));
    }
    json.append(open.size(), '}');
    if (json.back() != '{') json += ',';
    if (outcome) json += fmt::format("\"success\":{},\"policy_reject\":{},", outcome->success, outcome->policy_reject);
    json += fmt::format("\"tls\":{}}}", request.secured_by_tls);
    return json;
}

namespace {
HttpRequest http_request(const AuthPolicySettings& settings, std::string_view command, const std::string& json) {
    HttpRequest http;
    http.method = HttpRequest::Method::Post;
    http.url = url_for(settings.server_url, command);
    http.headers.emplace_back("Content-Type", "application/json");
    const std::string& header = settings.server_api_header;
    if (std::size_t colon = header.find(':'); colon != header.npos)
        http.headers.emplace_back(trim(header.substr(0, colon)), trim(std::string_view(header).substr(colon + 1)));
    else if (!header.empty()) http.headers.emplace_back("X-API-Key", header);
    http.body = json;
    return http;
}
}  // namespace

PolicyDecision AuthPolicy::read_answer(std::string_view body, bool reject_on_fail, std::string& problem) {
    PolicyDecision decision;
    if (reject_on_fail) decision.action = PolicyDecision::Action::Reject;
    if (body.empty()) {
        problem = "Policy server result was empty";
        return decision;
    }
    decision.by_server = true;
    auto fields = JsonObject::parse(body, JsonObject::Duplicates::LastWins);
    if (!fields) {
        problem = "Policy server response JSON parse error: " + fields.error().detail;
        return decision;
    }
    const JsonMember* status = fields->find("status");
    if (!status) return decision;
    bool negative = status->text.starts_with('-');
    auto number = parse_uint64(std::string_view(status->text).substr(negative ? 1 : 0));
    if (status->kind != JsonMember::Kind::Number || !number || *number > std::numeric_limits<std::int32_t>::max()) {
        problem = "Policy server response was malformed";
        return decision;
    }
    using Action = PolicyDecision::Action;
    decision.action = *number == 0 ? Action::Continue : negative ? Action::Reject : Action::Tarpit;
    if (decision.action == Action::Tarpit)
        decision.tarpit =
            std::chrono::seconds(std::min<std::int64_t>(static_cast<std::int64_t>(*number), kTarpitLimit));
    if (decision.action == Action::Reject) decision.message = fields->string("msg").substr(0, 512);
    return decision;
}

PolicyDecision AuthPolicy::ask(const AuthRequest& request) const {
    auto complain = [&](std::string_view why) {
        log_error(fmt::format("policy({}): {}", request.log_identity(), why));
    };
    PolicyDecision unanswered;
    if (settings_.reject_on_fail) unanswered.action = PolicyDecision::Action::Reject;
    auto json = describe(request, nullptr);
    if (!json) {
        complain(json.error().detail);
        return unanswered;
    }
    auto response = client_->perform(http_request(settings_, "allow", *json));
    if (!response || response->status / 100 != 2) {
        complain("Policy server HTTP error: " + (response ? response->reason : response.error().detail));
        return unanswered;
    }
    std::string problem;
    PolicyDecision decision = read_answer(response->body, settings_.reject_on_fail, problem);
    if (!problem.empty()) complain(problem);
    return decision;
}

void AuthPolicy::report(const std::string& json) const {
    auto response = client_->perform(http_request(settings_, "report", json));
    if (!response || response->status / 100 != 2)
        log_error("policy: report: Policy server HTTP error: " +
                  (response ? response->reason : response.error().detail));
}

}  // namespace culver
