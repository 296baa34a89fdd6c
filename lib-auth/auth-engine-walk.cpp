// AuthEngine: the walk through the passdbs, in their order and by their result rules.
#include "lib-auth/auth-engine.h"

#include <algorithm>

#include <fmt/format.h>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/wildcard.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

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

// Nothing: the next database costs more than `limit`; the walk goes on where it stopped.
std::optional<AuthResult> AuthEngine::run_chain(AuthRequest& request, Stage stage, Chain& chain, Work limit) const {
    for (; chain.next < passdbs_.size(); ++chain.next) {
        const PassDbEntry& entry = passdbs_[chain.next];
        if (!is_asked(entry, request, stage, chain)) continue;
        AuthFields fields_before = request.fields, userdb_before = request.userdb_fields;
        bool prefetched_before = request.has_userdb_fields;
        std::string user_before = request.user;
        auto answer = ask_passdb(entry, request, chain, limit);
        if (!answer) return std::nullopt;
        AuthResult result = *answer;
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
            request.user = std::move(user_before);
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
    bool pass =
        std::any_of(passdbs_.begin(), passdbs_.end(), [](const auto& entry) { return entry.master && entry.pass; });
    if (!pass) return AuthResult::Ok;
    // pass = yes: the user himself must be known as well.
    Chain lookup;
    return *run_chain(request, Stage::Normal, lookup, Work::Blocking);
}

std::shared_ptr<AuthEngine::Walk> AuthEngine::start_verify(AuthRequest& request, const SecretString& password) const {
    request.password = password;
    auto walk = std::make_shared<Walk>(Walk{request, password, {}, {}, {}});
    walk->chain.password = &walk->password;
    walk->chain.one_wait = true;
    return walk;
}

std::string AuthEngine::lane(const Walk& walk) const {
    using State = Walk::AppPasswordState;
    if (walk.app_state == State::Untried || walk.app_state == State::Matched) return "app-passwords";
    if (!walk.request.login_user.empty() || walk.chain.next >= passdbs_.size()) return lookup_lane(walk.request);
    return passdbs_[walk.chain.next].lane;
}

std::string AuthEngine::lookup_lane(const AuthRequest& request) const {
    for (const PassDbEntry& entry : passdbs_)
        if (entry.database->work(request) == Work::Blocking) return entry.lane;
    return {};
}

Work AuthEngine::wanted_work(const Walk& walk) { return walk.chain.wanted; }

std::optional<AuthResult> AuthEngine::advance(Walk& walk, Work limit) const {
    AuthRequest& request = walk.request;
    std::optional<AuthResult> result;
    walk.chain.has_waited = false;
    if (request.login_user.empty()) {
        AuthResult by_app_password = AuthResult::Mismatch;
        walk.chain.has_waited = limit == Work::Blocking && walk.app_state == Walk::AppPasswordState::Untried &&
                                app_passwords_ != nullptr;
        switch (try_app_password(walk, limit, by_app_password)) {
            case AppPasswordStep::Paused: return std::nullopt;
            case AppPasswordStep::Decided: result = by_app_password; break;
            case AppPasswordStep::NotOne: result = run_chain(request, Stage::Normal, walk.chain, limit); break;
        }
        if (result) result = insist_on_app_password(request, *result);
    } else {
        // Rare, and two walks in one: where all of it may run.
        walk.chain.one_wait = false;
        walk.chain.wanted = std::max(Work::Cpu, most_work(request));
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
    auto walk = start_verify(request, password);
    walk->chain.one_wait = false;
    return *advance(*walk, Work::Blocking);
}

AuthResult AuthEngine::accept(AuthRequest& request) const {
    AuthResult result = AuthResult::Ok;
    if (!request.login_user.empty()) {
        bool masters = std::any_of(passdbs_.begin(), passdbs_.end(), [](const auto& entry) { return entry.master; });
        result = masters ? become_login_user(request) : AuthResult::Mismatch;
    }
    result = insist_on_app_password(request, result);
    request.passdb_succeeded = result == AuthResult::Ok;
    return result;
}

Credentials AuthEngine::lookup_credentials(AuthRequest& request) const {
    Chain chain;
    Stage stage = request.login_user.empty() ? Stage::Normal : Stage::Master;
    AuthResult result = *run_chain(request, stage, chain, Work::Blocking);
    return to_credentials(chain, result);
}

std::optional<Credentials> AuthEngine::lookup_credentials_at_once(AuthRequest& request) const {
    AuthRequest before = request;
    Chain chain;
    Stage stage = request.login_user.empty() ? Stage::Normal : Stage::Master;
    if (auto result = run_chain(request, stage, chain, Work::Cheap)) return to_credentials(chain, *result);
    request = std::move(before);
    return std::nullopt;
}

Credentials AuthEngine::to_credentials(Chain& chain, AuthResult result) const {
    Credentials out;
    out.result = result;
    out.password = std::move(chain.credentials);
    if (out.result == AuthResult::Ok || !chain.any_unsupported) return out;
    out.unsupported = true;
    if (!chain.any_lookup) out.result = AuthResult::InternalFailure;
    return out;
}

}  // namespace culver
