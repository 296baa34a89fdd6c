// AuthEngine: one password database, asked and compared.
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

// Database columns: `user` is the whole name, `username` and `domain` its two halves.
void rename_user(std::string& user, const AuthField& field) {
    if (field.value.empty()) return;
    std::size_t at = user.find('@');
    if (field.key == "domain") user = user.substr(0, at) + '@' + field.value;
    else if (field.key == "user" || at == user.npos || field.value.find('@') != field.value.npos) user = field.value;
    else user = field.value + user.substr(at);
}

// " (given password: x)" or its hash, when the admin asked for it with auth_verbose_passwords.
std::string given_password(const std::string& setting, const SecretString& password) {
    if (setting == "no" || setting.empty()) return {};
    std::string_view kind = std::string_view(setting).substr(0, setting.find(':'));
    std::size_t limit = std::string::npos;
    if (kind.size() < setting.size())
        limit = parse_uint32(std::string_view(setting).substr(kind.size() + 1)).value_or(0);
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

AuthResult AuthEngine::compare(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply,
                               const SecretString& password) const {
    bool any_password = request.fields.contains("nopassword");
    if (any_password && reply.has_password && !reply.password.empty()) {
        // A database that says both is wrong; the stricter one counts.
        log_error(
            fmt::format("{}({}): nopassword given but password is non-empty", entry.driver, request.log_identity()));
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
    auto equal = matches(entry, reply.password.reveal(), request, password);
    if (!equal) {
        log_error(fmt::format("{}({}): Invalid password in passdb: {}", entry.driver, request.log_identity(),
                              equal.error().detail));
        return AuthResult::Mismatch;
    }
    if (*equal) return AuthResult::Ok;
    log_failure(entry, request, "Password mismatch", &password);
    return AuthResult::Mismatch;
}

// The comparison itself, remembered if it is expensive.
Result<bool> AuthEngine::matches(const PassDbEntry& entry, std::string_view text, const AuthRequest& request,
                                 const SecretString& password) const {
    StoredPassword stored = TRY(decode_password(text, entry.database->default_scheme()));
    bool remember = cache_->is_enabled() && stored.scheme->cost == PasswordCost::Expensive;
    if (!remember) return verify_password(stored, password.reveal(), request.original_user);
    auto now = VerdictCache::Clock::now();
    auto key = cache_->key(text, request.user, password.reveal());
    if (auto known = cache_->find(key, now)) return *known;
    bool equal = TRY(verify_password(stored, password.reveal(), request.original_user));
    cache_->put(key, request.user, equal, now);
    return equal;
}

// True if the comparison that follows would keep a core busy.
bool AuthEngine::needs_cpu(const PassDbEntry& entry, const AuthRequest& request, const PassDbReply& reply,
                           const SecretString& password) const {
    bool found = reply.verdict != Verdict::UnknownUser && !reply.password.empty();
    std::string typical = found ? std::string() : entry.database->typical_password(request);
    std::string_view text = found ? reply.password.reveal() : std::string_view(typical);
    const PasswordScheme* scheme = scheme_of_password(text, entry.database->default_scheme());
    if (!scheme || text.empty() || scheme->cost == PasswordCost::Cheap) return false;
    return !cache_->is_enabled() ||
           !cache_->find(cache_->key(text, request.user, password.reveal()), VerdictCache::Clock::now());
}

// An unknown user must take as long as a wrong password (security rule M7).
void AuthEngine::burn_time(const PassDbEntry& entry, const AuthRequest& request, const SecretString& password) const {
    std::string typical = entry.database->typical_password(request);
    if (!typical.empty()) (void)matches(entry, typical, request, password);
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
        if (field.key == "user" || field.key == "username" || field.key == "domain") {
            rename_user(request.user, field);
        } else if (field.key == "login_user") {
            request.master_user = request.user;
            request.user = field.value;
        } else if (field.key == "password" || field.key == "pass_scheme" || field.key.starts_with("event_")) {
            continue;
        } else if (field.key.starts_with("userdb_")) {
            request.userdb_fields.set(std::string_view(field.key).substr(7), field.value, field.has_value);
            request.has_userdb_fields = true;
        } else if (field.key == "app_password_required") {
            request.app_password_required = field.has_value ? field.value : "yes";
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

// The database's answer into chain.reply; a result if that is all there is to say. Nothing: see the walk.
std::optional<AuthResult> AuthEngine::fetch_reply(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                                  Work limit) const {
    bool verifies = chain.password && entry.database->verifies_itself();
    std::optional<VerdictCache::Key> key;
    if (verifies && cache_->is_enabled())
        if (auto part = entry.database->cache_key(request))
            key = cache_->key(fmt::format("{}:{}", &entry - passdbs_.data(), *part), request.user,
                              chain.password->reveal());
    if (key && cache_->find(*key, VerdictCache::Clock::now()).value_or(false)) {
        chain.reply = PassDbReply{};
        chain.reply->verdict = Verdict::Match;
        return std::nullopt;
    }
    chain.wanted = entry.database->work(request);
    Result<PassDbReply> reply = PassDbReply{};
    if (chain.wanted > chain.allowed(limit)) {
        auto at_once = verifies ? std::nullopt : entry.database->lookup_at_once(request);
        if (!at_once) return std::nullopt;
        reply = std::move(*at_once);
    } else {
        chain.has_waited = chain.has_waited || chain.wanted == Work::Blocking;
        reply = verifies ? entry.database->verify(request, *chain.password) : entry.database->lookup(request);
    }
    if (!reply && reply.error().code == ErrorCode::Unsupported) {
        if (settings_.debug)
            log_debug(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        chain.any_unsupported = true;
        return chain.last;
    }
    chain.any_lookup = true;
    if (!reply) {
        log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        return AuthResult::InternalFailure;
    }
    if (key && reply->verdict == Verdict::Match && reply->fields.empty())
        cache_->put(*key, request.user, true, VerdictCache::Clock::now());
    chain.reply = std::move(*reply);
    return std::nullopt;
}

// Nothing: what comes next costs more than `limit`.
std::optional<AuthResult> AuthEngine::ask_passdb(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                                 Work limit) const {
    bool verifies = chain.password && entry.database->verifies_itself();
    if (!chain.reply) {
        auto result = fetch_reply(entry, request, chain, limit);
        if (result || !chain.reply) return result;
    }
    bool compares = chain.password && !verifies && !entry.deny;
    if (compares && chain.allowed(limit) == Work::Cheap && needs_cpu(entry, request, *chain.reply, *chain.password)) {
        chain.wanted = Work::Cpu;
        return std::nullopt;
    }
    PassDbReply reply = std::move(*chain.reply);
    chain.reply.reset();
    if (reply.verdict == Verdict::UnknownUser) {
        if (compares) burn_time(entry, request, *chain.password);
        log_failure(entry, request, reply.reason.empty() ? "unknown user" : reply.reason, chain.password);
        return AuthResult::UnknownUser;
    }
    bool allowed = apply_fields(entry, request, reply);
    AuthResult result = to_result(reply.verdict);
    if (verifies) {
        if (result != AuthResult::Ok)
            log_failure(entry, request, reply.reason.empty() ? std::string(describe(result)) : reply.reason,
                        chain.password);
    } else if (compares) {
        result = compare(entry, request, reply, *chain.password);
    } else if (!chain.password && reply.has_password) {
        auto [scheme, data] = split_password(reply.password.reveal());
        std::string text = scheme.empty() ? fmt::format("{{{}}}{}", entry.database->default_scheme(), data)
                                          : std::string(reply.password.reveal());
        chain.credentials = SecretString(text);
        ::explicit_bzero(text.data(), text.size());
    }
    // A lookup for LMTP or doveadm is no login: networks do not matter to it.
    bool is_login = chain.password || !request.mechanism.empty();
    if (result == AuthResult::Ok && !allowed && is_login) return AuthResult::Mismatch;
    return result;
}

std::size_t AuthEngine::flush_cache(const std::vector<std::string>& users) const {
    if (users.empty()) return cache_->flush();
    std::size_t count = 0;
    for (const std::string& user : users) count += cache_->flush(user);
    return count;
}

}  // namespace culver
