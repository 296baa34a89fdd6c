// AuthEngine: one password database, asked and compared.
#include "lib-auth/auth-engine.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <span>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/password-scheme.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

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
        case AuthResult::Ok: return "matched";
        case AuthResult::Mismatch: return "password mismatch";
        case AuthResult::UnknownUser: return "unknown user";
        case AuthResult::Disabled: return "user disabled";
        case AuthResult::Expired: return "password expired";
        case AuthResult::NoCredentials: return "no password that can serve";
        case AuthResult::RuledOut: return "ruled out";
        case AuthResult::InternalFailure: return "internal failure";
        case AuthResult::GoOn: return "asked for fields only (noauthenticate)";
    }
    return "";
}

// What a mechanism needs to find beside a plain password; nothing: whatever there is will do.
std::span<const std::string_view> schemes_for(std::string_view mechanism) {
    struct Need {
        std::string_view mechanism;
        std::array<std::string_view, 2> schemes;
    };
    static constexpr Need kNeeds[] = {{"CRAM-MD5", {"CRAM-MD5", "HMAC-MD5"}},
                                      {"DIGEST-MD5", {"DIGEST-MD5", "DIGEST-MD5"}},
                                      {"SCRAM-SHA-1", {"SCRAM-SHA-1", "SCRAM-SHA-1"}},
                                      {"SCRAM-SHA-256", {"SCRAM-SHA-256", "SCRAM-SHA-256"}}};
    if (mechanism.ends_with("-PLUS")) mechanism.remove_suffix(5);
    for (const Need& need : kNeeds)
        if (need.mechanism == mechanism) return need.schemes;
    return {};
}

bool is_plain_scheme(std::string_view name) {
    return name == "PLAIN" || name == "CLEAR" || name == "CLEARTEXT" || name == "PLAIN-TRUNC";
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

AuthResult AuthEngine::compare(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply, Chain& chain,
                               std::optional<bool> known) const {
    const SecretString& password = *chain.password;
    if (request.fields.contains("nopassword")) return AuthResult::Ok;
    auto refuse = [&](std::string_view log, std::string_view words, const SecretString* given) {
        log_failure(entry, request, std::string(log), given);
        request.trail.add(entry.label, words);
        return AuthResult::Mismatch;
    };
    if (!reply.has_password)
        return refuse("No password returned (and no nopassword)", "no password returned, and no nopassword", nullptr);
    if (reply.password.empty()) {
        // Nothing stored: nothing matches, not even an empty password.
        burn_time(entry, request, password);
        return refuse("Password mismatch (no password is stored)", "password mismatch, none is stored", &password);
    }
    auto equal = matches(entry, reply.password.reveal(), request, password, known);
    if (!equal) {
        log_error(fmt::format("{}({}): Invalid password in passdb: {}", entry.driver, request.log_identity(),
                              equal.error().detail));
        request.trail.add(entry.label, "the stored password cannot be used (see the error above)");
        return AuthResult::Mismatch;
    }
    if (*equal) note_upgrade(entry, request, reply, chain);
    if (*equal) return AuthResult::Ok;
    if (settings_.debug_passwords)
        log_debug(fmt::format("{}({}): '{}' is not the password of '{}'", entry.driver, request.log_identity(),
                              password.reveal(), reply.password.reveal()));
    return refuse("Password mismatch", describe(AuthResult::Mismatch), &password);
}

// A lookup that found the user: his password for the mechanism, if it is of a kind that can serve it.
AuthResult AuthEngine::keep_credentials(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply,
                                        Chain& chain) const {
    auto needed = schemes_for(request.mechanism);
    std::string default_scheme = entry.database->default_scheme();
    auto [prefix, data] = split_password(reply.password.reveal());
    const bool any_password = request.fields.contains("nopassword");
    const bool any = reply.has_password && !(data.empty() && any_password);
    // One that compares by itself (ldap with auth_bind) gives no password away, and knows the user all the same.
    chain.lacks_password = !any && !any_password && chain.credentials.empty() && !entry.database->verifies_itself();
    if (!any) {
        // A database that only adds fields leaves what an earlier one has found.
        if (needed.empty() || !chain.credentials.empty()) return AuthResult::Ok;
        request.trail.add(entry.label, "has no password for this mechanism");
        return AuthResult::NoCredentials;
    }
    const PasswordScheme* scheme = scheme_of_password(reply.password.reveal(), default_scheme);
    bool serves = scheme && (needed.empty() || is_plain_scheme(scheme->name) ||
                             std::find(needed.begin(), needed.end(), scheme->name) != needed.end());
    if (!serves) {
        std::string_view name = scheme ? scheme->name : std::string_view("unknown");
        if (!needed.empty())
            log_failure(entry, request, fmt::format("Requested {} scheme, but we have only {}", needed[0], name),
                        nullptr);
        else log_error(fmt::format("{}({}): Unknown scheme {}", entry.driver, request.log_identity(), prefix));
        request.trail.add(entry.label, fmt::format("its password of scheme {} cannot serve this mechanism", name));
        return AuthResult::NoCredentials;
    }
    if (!prefix.empty()) {
        chain.credentials = reply.password;
        return AuthResult::Ok;
    }
    std::string text = fmt::format("{{{}}}{}", default_scheme, data);
    chain.credentials = SecretString(text);
    ::explicit_bzero(text.data(), text.size());
    return AuthResult::Ok;
}

// The comparison itself, remembered if it is expensive. `known`: what needs_cpu has found out about the same two.
Result<bool> AuthEngine::matches(const PassDbEntry& entry, std::string_view text, const AuthRequest& request,
                                 const SecretString& password, std::optional<bool> known) const {
    if (known) return *known;
    if (password.size() > AuthSettings::kHashedPasswordLimit) return false;  // a token, no password
    StoredPassword stored = TRY(decode_password(text, entry.database->default_scheme()));
    bool remember = cache_->is_enabled() && stored.scheme->cost == PasswordCost::Expensive;
    if (!remember) return verify_password(stored, password.reveal(), request.original_user);
    auto now = VerdictCache::Clock::now();
    // With the name that the comparison uses, which no database changes on the way.
    auto key = cache_->key(text, request.original_user, password.reveal());
    if (auto found = cache_->find(key, now)) return *found;
    bool equal = TRY(verify_password(stored, password.reveal(), request.original_user));
    cache_->put(key, request.user, equal, now);
    return equal;
}

// True if the comparison that follows would keep a core busy; `known` is its result if it is remembered.
bool AuthEngine::needs_cpu(const PassDbEntry& entry, const AuthRequest& request, const PassDbReply& reply,
                           const SecretString& password, std::optional<bool>& known) const {
    bool found = reply.verdict != Verdict::UnknownUser && !reply.password.empty();
    std::string typical = found ? std::string() : entry.database->typical_password(request);
    std::string_view text = found ? reply.password.reveal() : std::string_view(typical);
    const PasswordScheme* scheme = scheme_of_password(text, entry.database->default_scheme());
    if (!scheme || text.empty() || scheme->cost == PasswordCost::Cheap) return false;
    if (cache_->is_enabled())
        known = cache_->find(cache_->key(text, request.original_user, password.reveal()), VerdictCache::Clock::now());
    return !known;
}

// An unknown user must take as long as a wrong password (security rule M7).
void AuthEngine::burn_time(const PassDbEntry& entry, const AuthRequest& request, const SecretString& password) const {
    std::string typical = entry.database->typical_password(request);
    if (!typical.empty()) (void)matches(entry, typical, request, password);
}

// The database's answer into chain.reply; a result if that is all there is to say. Nothing: see the walk.
std::optional<AuthResult> AuthEngine::fetch_reply(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                                  Pace& pace) const {
    bool verifies = chain.password && entry.database->verifies_itself();
    std::optional<VerdictCache::Key> key;
    if (verifies && cache_->is_enabled())
        if (auto part = entry.database->cache_key(request))
            key = cache_->key(fmt::format("{}:{}", fmt::ptr(entry.database.get()), *part), request.user,
                              chain.password->reveal());
    if (key && cache_->find(*key, VerdictCache::Clock::now()).value_or(false)) {
        chain.reply = PassDbReply{};
        chain.reply->verdict = Verdict::Match;
        return std::nullopt;
    }
    Result<PassDbReply> reply = PassDbReply{};
    const bool by_rules = chain.for_account && entry.database->has_account_rules();
    const Work work = entry.database->work(request);
    auto at_once = work > pace.limit && pace.is_on_loop() && !verifies && !by_rules
                       ? entry.database->lookup_at_once(request)
                       : std::nullopt;
    if (at_once) reply = std::move(*at_once);
    else if (!pace.admits(work, entry.lane)) return std::nullopt;
    else if (verifies) reply = entry.database->verify(request, *chain.password);
    else reply = by_rules ? entry.database->check_account(request) : entry.database->lookup(request);
    if (!reply && reply.error().code == ErrorCode::Unsupported) {
        if (settings_.debug)
            log_debug(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        chain.any_unsupported = true;
        request.trail.add(entry.label, "keeps its passwords to itself");
        return AuthResult::NoCredentials;
    }
    if (!reply) {
        log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        request.trail.add(entry.label, fmt::format("internal failure: {}", reply.error().detail));
        return AuthResult::InternalFailure;
    }
    if (by_rules && entry.database->verifies_itself() && reply->verdict == Verdict::Match) {
        chain.any_unsupported = true;
        request.trail.add(entry.label, "its rules for accounts let this user in");
        return AuthResult::NoCredentials;
    }
    if (key && reply->verdict == Verdict::Match && reply->fields.empty())
        cache_->put(*key, request.user, true, VerdictCache::Clock::now());
    chain.reply = std::move(*reply);
    return std::nullopt;
}

// Nothing: what comes next costs more than the walk may.
std::optional<AuthResult> AuthEngine::ask_passdb(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                                 Pace& pace) const {
    bool verifies = chain.password && entry.database->verifies_itself();
    if (!chain.reply) {
        auto result = fetch_reply(entry, request, chain, pace);
        if (result || !chain.reply) return result;
    }
    // Behind a database that has proven the password the others only add their fields.
    bool compares = chain.password && !verifies && !entry.deny && !chain.verified;
    std::optional<bool> known;  // the verdict about this reply and no other
    if (compares && pace.allowed() == Work::Cheap && needs_cpu(entry, request, *chain.reply, *chain.password, known) &&
        !pace.admits(Work::Cpu, {}))
        return std::nullopt;
    PassDbReply reply = std::move(*chain.reply);
    chain.reply.reset();
    if (reply.verdict == Verdict::UnknownUser) {
        if (compares && !known) burn_time(entry, request, *chain.password);
        log_failure(entry, request, reply.reason.empty() ? "unknown user" : reply.reason, chain.password);
        if (!entry.deny) request.trail.add(entry.label, describe(AuthResult::UnknownUser));
        return AuthResult::UnknownUser;
    }
    if (compares && !settings_.password_upgrade_scheme.empty()) chain.asked_user = request.user;
    bool allowed = apply_fields(entry, request, reply, chain);
    AuthResult result = to_result(reply.verdict);
    chain.message = std::move(reply.message);
    if (compares && result != AuthResult::Ok) {
        burn_time(entry, request, *chain.password);
        log_failure(entry, request, std::string(describe(result)), nullptr);
        request.trail.add(entry.label, describe(result));
    } else if (verifies) {
        if (result != AuthResult::Ok) {
            log_failure(entry, request, reply.reason.empty() ? std::string(describe(result)) : reply.reason,
                        chain.password);
            request.trail.add(entry.label, describe(result));
            if (!reply.reason.empty() && reply.reason != describe(result)) request.trail.remark(reply.reason);
        }
    } else if (request.fields.contains("noauthenticate") && result == AuthResult::Ok && allowed) {
        request.trail.add(entry.label, describe(AuthResult::GoOn));
        return AuthResult::GoOn;
    } else if (compares && result == AuthResult::Ok) {
        result = compare(entry, request, reply, chain, known);
    } else if (!chain.password && result == AuthResult::Ok && !entry.deny && allowed) {
        result = keep_credentials(entry, request, reply, chain);
    } else if (result != AuthResult::Ok && chain.for_account && !reply.reason.empty()) {
        log_failure(entry, request, reply.reason, nullptr);
        request.trail.add(entry.label, reply.reason);
    } else if (result != AuthResult::Ok) {
        request.trail.add(entry.label, describe(result));
    }
    if (result != AuthResult::Ok) return result;
    if (!allowed) return AuthResult::UnknownUser;
    if (!entry.deny) request.trail.add(entry.label, chain.password ? describe(AuthResult::Ok) : "found");
    return result;
}

std::size_t AuthEngine::flush_cache(const std::vector<std::string>& users) const {
    if (users.empty()) return cache_->flush();
    std::size_t count = 0;
    for (const std::string& user : users) count += cache_->flush(user);
    return count;
}

}  // namespace culver
