// AuthEngine: the walk through the passdbs.
#include "lib-auth/auth-engine.h"

#include <algorithm>

#include <openssl/sha.h>

#include <fmt/format.h>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/password-scheme.h"
#include "lib-auth/wildcard.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-net/ip-address.h"

namespace culver {

namespace {
AuthResult to_result(Verdict verdict) {
    switch (verdict) {
        case Verdict::Match: return AuthResult::Ok;
        case Verdict::Mismatch: return AuthResult::Mismatch;
        case Verdict::UnknownUser: return AuthResult::UnknownUser;
        case Verdict::Disabled: return AuthResult::Disabled;
        case Verdict::Expired: return AuthResult::Expired;
    }
    return AuthResult::InternalFailure;
}

std::string_view describe(AuthResult result) {
    switch (result) {
        case AuthResult::Ok: return "ok";
        case AuthResult::Mismatch: return "Password mismatch";
        case AuthResult::UnknownUser: return "unknown user";
        case AuthResult::Disabled: return "user disabled";
        case AuthResult::Expired: return "password expired";
        case AuthResult::NoCredentials: return "Requested credentials are not available";
        case AuthResult::InternalFailure: return "internal failure";
    }
    return "";
}

// " (given password: x)" or its hash, when the admin asked for it with auth_verbose_passwords.
std::string given_password(const std::string& setting, const SecretString& password) {
    if (setting == "no" || setting.empty()) return {};
    std::string_view kind = std::string_view(setting).substr(0, setting.find(':'));
    std::size_t limit = std::string::npos;
    if (kind.size() < setting.size()) limit = parse_uint32(std::string_view(setting).substr(kind.size() + 1)).value_or(0);
    std::string text;
    if (kind == "plain" || kind == "yes") {
        text = password.reveal();
    } else {
        unsigned char digest[SHA_DIGEST_LENGTH];
        SHA1(reinterpret_cast<const unsigned char*>(password.reveal().data()), password.size(), digest);
        text = hex_encode({reinterpret_cast<const char*>(digest), sizeof digest});
    }
    if (limit < text.size()) text.resize(limit);
    return (kind == "sha1" ? " (SHA1 of given password: " : " (given password: ") + text + ')';
}
}  // namespace

void AuthEngine::log_failure(const PassDbEntry& entry, const AuthRequest& request, const std::string& why,
                             const SecretString* password) const {
    if (!entry.verbose) return;
    log_info(fmt::format("{}({}): {}{}", entry.driver, request.log_identity(), why,
                         password ? given_password(settings_.verbose_passwords, *password) : ""));
}

bool AuthEngine::is_asked(const PassDbEntry& entry, const AuthRequest& request, Stage stage, const Chain& chain) const {
    if (entry.master != (stage == Stage::Master)) return false;
    if (!entry.mechanisms.empty() && !request.mechanism.empty() &&
        std::find(entry.mechanisms.begin(), entry.mechanisms.end(), request.mechanism) == entry.mechanisms.end())
        return false;
    if (!entry.username_filter.empty() && !matches_username_filter(entry.username_filter, request.user)) return false;
    switch (entry.skip) {
        case PassDbEntry::Skip::Never: return true;
        case PassDbEntry::Skip::Authenticated: return !chain.succeeded;
        case PassDbEntry::Skip::Unauthenticated: return chain.succeeded;
    }
    return true;
}

Work AuthEngine::most_work(const AuthRequest& request) const {
    Work most = Work::Cheap;
    for (const PassDbEntry& entry : passdbs_) {
        if (entry.master && request.login_user.empty()) continue;
        most = std::max(most, entry.database->work(request));
    }
    return most;
}

Work AuthEngine::lookup_work(const AuthRequest& request) const { return most_work(request); }

AuthResult AuthEngine::compare(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply,
                               const SecretString& password) const {
    bool any_password = request.fields.contains("nopassword");
    if (any_password && reply.has_password && !reply.password.empty()) {
        // A database that says both is wrong; the stricter one counts.
        log_error(fmt::format("{}({}): nopassword given but password is non-empty", entry.driver, request.log_identity()));
        any_password = false;
    }
    if (any_password) return AuthResult::Ok;
    if (!reply.has_password) {
        log_failure(entry, request, "No password returned (and no nopassword)", nullptr);
        return AuthResult::Mismatch;
    }
    if (reply.password.empty()) {
        // Nothing stored: nothing matches, not even an empty password.
        burn_time(entry, request, password);
        log_failure(entry, request, "Password mismatch (no password is stored)", &password);
        return AuthResult::Mismatch;
    }
    auto stored = decode_password(reply.password.reveal(), entry.database->default_scheme());
    if (!stored) {
        log_error(fmt::format("{}({}): Invalid password in passdb: {}", entry.driver, request.log_identity(),
                              stored.error().detail));
        return AuthResult::Mismatch;
    }
    auto equal = verify_password(*stored, password.reveal(), request.original_user);
    if (!equal) {
        log_error(fmt::format("{}({}): Invalid password in passdb: {}", entry.driver, request.log_identity(),
                              equal.error().detail));
        return AuthResult::Mismatch;
    }
    if (*equal) return AuthResult::Ok;
    log_failure(entry, request, "Password mismatch", &password);
    return AuthResult::Mismatch;
}

// An unknown user must take as long as a wrong password (security rule M7).
void AuthEngine::burn_time(const PassDbEntry& entry, const AuthRequest& request, const SecretString& password) const {
    std::string typical = entry.database->typical_password(request);
    if (typical.empty()) return;
    auto stored = decode_password(typical, entry.database->default_scheme());
    if (stored) (void)verify_password(*stored, password.reveal(), request.user);
}

// Puts the database's fields into the request. False if they forbid this login (allow_nets).
bool AuthEngine::apply_fields(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply) const {
    AuthFields all;
    auto add_template = [&](const std::string& field) {
        std::size_t equals = field.find('=');
        if (equals == field.npos) return all.set(field, "", false);
        auto value = expand_for_request(std::string_view(field).substr(equals + 1), request);
        if (value) return all.set(std::string_view(field).substr(0, equals), *value);
        log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), value.error().detail));
    };
    for (const std::string& field : entry.default_fields) add_template(field);
    for (const AuthField& field : reply.fields) all.set(field.key, field.value, field.has_value);
    for (const std::string& field : entry.override_fields) add_template(field);

    bool allowed = true;
    for (const AuthField& field : all) {
        if (field.key == "user" || field.key == "username") {
            if (field.value.empty() || field.value == request.user) continue;
            request.user = field.value;
        } else if (field.key == "login_user") {
            request.master_user = request.user;
            request.user = field.value;
        } else if (field.key == "password" || field.key == "pass_scheme" || field.key.starts_with("event_")) {
            continue;
        } else if (field.key.starts_with("userdb_")) {
            request.userdb_fields.set(std::string_view(field.key).substr(7), field.value, field.has_value);
            request.has_userdb_fields = true;
        } else if (field.key == "nodelay") {
            request.no_delay = true;
        } else if (field.key == "allow_nets") {
            allowed = allowed && is_allowed_network(field.value, request.remote_ip, [&](std::string why) {
                          log_failure(entry, request, why, nullptr);
                      });
        } else if (field.key == "nologin" || field.key == "proxy" || field.key == "proxy_maybe" ||
                   field.key == "nopassword") {
            request.fields.set(field.key, "", false);
        } else {
            request.fields.set(field.key, field.value, field.has_value);
        }
    }
    return allowed;
}

AuthResult AuthEngine::ask_passdb(const PassDbEntry& entry, AuthRequest& request, Chain& chain) const {
    bool verifies = chain.password && entry.database->verifies_itself();
    auto reply = verifies ? entry.database->verify(request, *chain.password) : entry.database->lookup(request);
    if (!reply && reply.error().code == ErrorCode::Unsupported) {
        if (settings_.debug) log_debug(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        chain.any_unsupported = true;
        return chain.last;
    }
    chain.any_lookup = true;
    if (!reply) {
        log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        return AuthResult::InternalFailure;
    }
    if (reply->verdict == Verdict::UnknownUser) {
        if (chain.password && !verifies) burn_time(entry, request, *chain.password);
        log_failure(entry, request, reply->reason.empty() ? "unknown user" : reply->reason, chain.password);
        return AuthResult::UnknownUser;
    }
    std::string user_before = request.user;
    bool allowed = apply_fields(entry, request, *reply);
    AuthResult result = to_result(reply->verdict);
    if (verifies) {
        if (result != AuthResult::Ok)
            log_failure(entry, request, reply->reason.empty() ? std::string(describe(result)) : reply->reason, chain.password);
    } else if (chain.password && !(entry.deny && !reply->has_password)) {
        result = entry.deny ? AuthResult::Ok : compare(entry, request, *reply, *chain.password);
    } else if (reply->has_password) {
        auto [scheme, data] = split_password(reply->password.reveal());
        std::string text = scheme.empty() ? fmt::format("{{{}}}{}", entry.database->default_scheme(), data)
                                          : std::string(reply->password.reveal());
        chain.credentials = SecretString(text);
        ::explicit_bzero(text.data(), text.size());
    }
    if (result == AuthResult::Ok && !allowed && chain.password) return AuthResult::Mismatch;
    return result;
}

// Nothing: the next database costs more than `limit`; the walk goes on where it stopped.
std::optional<AuthResult> AuthEngine::run_chain(AuthRequest& request, Stage stage, Chain& chain, Work limit) const {
    for (; chain.next < passdbs_.size(); ++chain.next) {
        const PassDbEntry& entry = passdbs_[chain.next];
        if (!is_asked(entry, request, stage, chain)) continue;
        if (limit != Work::Blocking) {
            chain.wanted = entry.database->work(request);
            if (chain.wanted > limit) return std::nullopt;
        }
        AuthFields fields_before = request.fields, userdb_before = request.userdb_fields;
        bool prefetched_before = request.has_userdb_fields;
        AuthResult result = ask_passdb(entry, request, chain);
        if (entry.deny) {
            if (result == AuthResult::UnknownUser) continue;
            if (result != AuthResult::InternalFailure) {
                log_failure(entry, request, "User found from deny passdb", nullptr);
                result = AuthResult::Disabled;
            }
            return result;
        }
        if (result == AuthResult::InternalFailure) chain.internal_failure = true;
        else if (result != AuthResult::UnknownUser || chain.last == AuthResult::UnknownUser) chain.last = result;
        ResultRule rule = result == AuthResult::Ok                ? entry.success
                          : result == AuthResult::InternalFailure ? entry.internal
                                                                  : entry.failure;
        switch (rule) {
            case ResultRule::Return: return result == AuthResult::Ok || !chain.succeeded ? result : AuthResult::Ok;
            case ResultRule::ReturnOk: return AuthResult::Ok;
            case ResultRule::ReturnFail: return result == AuthResult::Ok ? AuthResult::Mismatch : result;
            case ResultRule::Continue:
                if (result == AuthResult::Ok) chain.last = AuthResult::Ok;
                break;
            case ResultRule::ContinueOk: chain.succeeded = true; break;
            case ResultRule::ContinueFail: chain.succeeded = false; break;
        }
        if (result != AuthResult::Ok && &entry != &passdbs_.back()) {
            // What a database said about a user whom it refused is not for the next one's reply.
            request.fields = std::move(fields_before);
            request.userdb_fields = std::move(userdb_before);
            request.has_userdb_fields = prefetched_before;
        }
    }
    if (chain.succeeded) return AuthResult::Ok;
    if (chain.internal_failure) return AuthResult::InternalFailure;
    return chain.last == AuthResult::Ok ? AuthResult::Mismatch : chain.last;
}

// A master user is proven: from here on it is the other user's login.
AuthResult AuthEngine::become_login_user(AuthRequest& request) const {
    request.master_user = request.user;
    request.user = std::move(request.login_user);
    request.login_user.clear();
    request.has_userdb_fields = false;
    request.userdb_fields.clear();
    bool pass = std::any_of(passdbs_.begin(), passdbs_.end(), [](const auto& entry) { return entry.master && entry.pass; });
    if (!pass) return AuthResult::Ok;
    // pass = yes: the user himself must be known as well.
    Chain lookup;
    return *run_chain(request, Stage::Normal, lookup, Work::Blocking);
}

std::shared_ptr<AuthEngine::Walk> AuthEngine::start_verify(AuthRequest& request, const SecretString& password) const {
    request.password = password;
    auto walk = std::make_shared<Walk>(Walk{request, password, {}});
    walk->chain.password = &walk->password;
    return walk;
}

Work AuthEngine::wanted_work(const Walk& walk) { return walk.chain.wanted; }

std::optional<AuthResult> AuthEngine::advance(Walk& walk, Work limit) const {
    AuthRequest& request = walk.request;
    std::optional<AuthResult> result;
    if (request.login_user.empty()) {
        result = run_chain(request, Stage::Normal, walk.chain, limit);
    } else {
        // Rare, and two walks in one: where all of it may run.
        walk.chain.wanted = most_work(request);
        if (walk.chain.wanted <= limit) result = verify_as_master(request, walk.chain);
    }
    if (result) request.passdb_succeeded = *result == AuthResult::Ok;
    return result;
}

AuthResult AuthEngine::verify_as_master(AuthRequest& request, Chain& chain) const {
    bool masters = std::any_of(passdbs_.begin(), passdbs_.end(), [](const auto& entry) { return entry.master; });
    if (!masters) {
        log_info(fmt::format("{}({}): login user: Master user login attempted without master passdbs (as {})",
                             to_lower(request.mechanism), request.log_identity(), request.login_user));
        return AuthResult::Mismatch;
    }
    AuthResult result = *run_chain(request, Stage::Master, chain, Work::Blocking);
    return result == AuthResult::Ok ? become_login_user(request) : result;
}

AuthResult AuthEngine::verify(AuthRequest& request, const SecretString& password) const {
    return *advance(*start_verify(request, password), Work::Blocking);
}

AuthResult AuthEngine::accept(AuthRequest& request) const {
    AuthResult result = AuthResult::Ok;
    if (!request.login_user.empty()) {
        bool masters = std::any_of(passdbs_.begin(), passdbs_.end(), [](const auto& entry) { return entry.master; });
        result = masters ? become_login_user(request) : AuthResult::Mismatch;
    }
    request.passdb_succeeded = result == AuthResult::Ok;
    return result;
}

Credentials AuthEngine::lookup_credentials(AuthRequest& request) const {
    Chain chain;
    Credentials out;
    out.result = *run_chain(request, request.login_user.empty() ? Stage::Normal : Stage::Master, chain, Work::Blocking);
    out.password = std::move(chain.credentials);
    if (out.result == AuthResult::Ok || !chain.any_unsupported) return out;
    out.unsupported = true;
    if (!chain.any_lookup) out.result = AuthResult::InternalFailure;
    return out;
}

}  // namespace culver
