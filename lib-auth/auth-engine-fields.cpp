// AuthEngine: what the fields that a password database returns do. docs/auth.md lists them.
#include <fmt/format.h>

#include <algorithm>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/auth-engine.h"
#include "lib-auth/password-scheme.h"
#include "lib-auth/userdb.h"
#include "lib-auth/wildcard.h"
#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver {

namespace {
using SystemClock = std::chrono::system_clock;
constexpr std::chrono::minutes kLongestDelay{5};
constexpr std::string_view kFlags[] = {"nologin", "proxy", "proxy_maybe", "proxy_always", "nodelay"};

bool is_flag(std::string_view key) { return std::find(std::begin(kFlags), std::end(kFlags), key) != std::end(kFlags); }

// "N" or "N+M": the second N, and up to M more by chance. Nothing if it is no such text or too far away.
std::optional<SystemClock::time_point> parse_delay(std::string_view text, std::string& problem) {
    std::size_t plus = text.find('+');
    auto seconds = parse_uint64(text.substr(0, plus));
    auto extra = plus == text.npos ? std::optional<std::uint32_t>(0) : parse_uint32(text.substr(plus + 1));
    auto now = SystemClock::now();
    auto farthest = now + kLongestDelay;
    if (!seconds || !extra) {
        problem = fmt::format("Invalid delay_until timestamp '{}'", text);
        return std::nullopt;
    }
    // Compared as seconds: a far number does not fit into a time_point.
    auto last = std::chrono::floor<std::chrono::seconds>(farthest.time_since_epoch()).count();
    if (*seconds > static_cast<std::uint64_t>(last)) {
        problem = fmt::format("delay_until timestamp {} is too much in the future, failing", *seconds);
        return std::nullopt;
    }
    SystemClock::time_point until{std::chrono::seconds(*seconds)};
    if (until <= now) return until;
    if (*extra > 0) until += std::chrono::seconds(random_uint64() % *extra);
    return std::min(until, farthest);
}

// One database's fields on their way into a request.
class FieldApplication {
public:
    FieldApplication(AuthRequest& request, PassDbReply& reply, const std::function<void(std::string)>& refused,
                     const std::function<void(std::string)>& broken, bool is_login)
        : request_(request), reply_(reply), refused_(refused), broken_(broken), is_login_(is_login) {}

    void set(std::string_view key, std::string_view value, bool has_value) {
        if (key.ends_with(":remove")) {
            key.remove_suffix(7);
            if (key.starts_with("userdb_")) request_.userdb_fields.remove(key.substr(7));
            else request_.fields.remove(key);
            return;
        }
        if (key.ends_with(":protected")) {
            key.remove_suffix(10);
            bool is_there = key.starts_with("userdb_") ? request_.userdb_fields.contains(key.substr(7))
                                                       : request_.fields.contains(key);
            if (is_there) return;
        }
        if (key.empty()) return;
        if (key.starts_with("userdb_")) return set_for_userdb(key.substr(7), value, has_value);
        if (key == "password" || key == "password_noscheme") return set_password(value);
        if (key == "user" || key == "username" || key == "domain") return rename_user(request_.user, key, value);
        if (key == "login_user") {
            request_.login_user = value;
        } else if (key == "allow_nets") {
            check_network("allow_nets", value, request_.remote_ip);
        } else if (key == "allow_real_nets") {
            check_network("allow_real_nets", value,
                          request_.real_remote_ip.empty() ? request_.remote_ip : request_.real_remote_ip);
        } else if (key == "fail") {
            allowed_ = false;
            refused_("the field fail refuses every login");
        } else if (key == "delay_until") {
            std::string problem;
            request_.delay_until = parse_delay(value, problem);
            if (request_.delay_until) return;
            allowed_ = false;
            broken_(problem);
        } else if (key == "noauthenticate") {
            request_.fields.set("noauthenticate", "", false);
            request_.fields.set("nopassword", "", false);
        } else if (key == "nopassword") {
            set_nopassword();
        } else if (key == "passdb_import") {
            import(value, {});
        } else if (key == "app_password_required") {
            request_.app_password_required = has_value ? std::string(value) : "yes";
        } else if (value.empty() || (is_login_ && is_flag(key))) {
            request_.fields.set(key, "", false);
        } else {
            request_.fields.set(key, value, has_value);
        }
    }

    bool allowed() const { return allowed_; }

private:
    void set_for_userdb(std::string_view key, std::string_view value, bool has_value) {
        request_.has_userdb_fields = true;
        if (key == "userdb_import") import(value, "userdb_");
        else if (key == "user" || key == "username" || key == "domain") rename_user(request_.user, key, value);
        else if (key == "uid" || key == "gid") set_number(key, value);
        else request_.userdb_fields.set(key, value, has_value);
    }

    // A name becomes its number; one that there is not stays, for the userdb to refuse.
    void set_number(std::string_view key, std::string_view value) {
        auto number = key == "uid" ? resolve_uid(value) : resolve_gid(value);
        request_.userdb_fields.set(key, number ? *number : std::string(value));
    }

    // A list of fields in one field, separated by TAB; a list within a list is not looked into.
    void import(std::string_view list, std::string_view prefix) {
        if (importing_) return;
        importing_ = true;
        for (std::string_view word : split(list, '\t')) {
            std::size_t equals = word.find('=');
            set(fmt::format("{}{}", prefix, word.substr(0, equals)),
                equals == word.npos ? std::string_view() : word.substr(equals + 1), equals != word.npos);
        }
        importing_ = false;
    }

    void set_password(std::string_view value) {
        if (reply_.has_password) return broken_("Multiple password values not supported");
        reply_.has_password = true;
        reply_.password = SecretString(value);
    }

    void set_nopassword() {
        if (!split_password(reply_.password.reveal()).second.empty() && !request_.fields.contains("noauthenticate"))
            return broken_("nopassword given but password is non-empty");  // the stricter one counts
        request_.fields.set("nopassword", "", false);
    }

    void check_network(std::string_view name, std::string_view networks, const std::string& address) {
        // A lookup for LMTP or doveadm is no login: networks do not matter to it.
        if (!is_login_) return;
        bool inside = is_allowed_network(networks, address, [&](std::string why) {
            if (why.starts_with("allow_nets")) why = std::string(name) + why.substr(10);
            refused_(std::move(why));
        });
        allowed_ = allowed_ && inside;
    }

    AuthRequest& request_;
    PassDbReply& reply_;
    const std::function<void(std::string)>& refused_;
    const std::function<void(std::string)>& broken_;
    const bool is_login_;
    bool allowed_ = true, importing_ = false;
};
}  // namespace

void rename_user(std::string& user, std::string_view key, std::string_view value) {
    if (value.empty()) return;
    std::size_t at = user.find('@');
    if (key == "domain") user = fmt::format("{}@{}", user.substr(0, at), value);
    else if (key == "user" || at == user.npos || value.find('@') != value.npos) user = value;
    else user = std::string(value) + user.substr(at);
}

// Puts the database's fields into the request. False if they forbid this login.
bool AuthEngine::apply_fields(const PassDbEntry& entry, AuthRequest& request, PassDbReply& reply,
                              const Chain& chain) const {
    if (reply.fields.empty() && entry.default_fields.empty() && entry.override_fields.empty()) return true;
    std::string first_refusal;
    std::function<void(std::string)> refused = [&](std::string why) {
        log_failure(entry, request, why, nullptr);
        first_refusal = std::move(why);
    };
    std::function<void(std::string)> broken = [&](std::string why) {
        log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), why));
        first_refusal = std::move(why);
    };
    FieldApplication application(request, reply, refused, broken, chain.password || !request.mechanism.empty());
    auto add_template = [&](const std::string& field) {
        std::size_t equals = field.find('=');
        if (equals == field.npos) return application.set(field, "", false);
        auto value = expand_for_request(std::string_view(field).substr(equals + 1), request);
        if (value) return application.set(std::string_view(field).substr(0, equals), *value, true);
        log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), value.error().detail));
    };
    const AuthFields fields = reply.fields;
    for (const std::string& field : entry.default_fields) add_template(field);
    for (const AuthField& field : fields) application.set(field.key, field.value, field.has_value);
    for (const std::string& field : entry.override_fields) add_template(field);
    if (!application.allowed()) request.trail.add(entry.label, first_refusal);
    return application.allowed();
}

}  // namespace culver
