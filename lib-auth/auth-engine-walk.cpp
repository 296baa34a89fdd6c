// AuthEngine: the walk through the passdbs, in their order and by their result rules (tests/system/auth_rules.py).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/auth-engine.h"
#include "lib-auth/wildcard.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr unsigned kSwitchLimit = 4;  // of the user in one walk: a master user, and databases with login_user

void keep_fields(const AuthRequest& request, auto& chain) {
    chain.fields = request.fields;
    chain.userdb_fields = request.userdb_fields;
    chain.has_userdb_fields = request.has_userdb_fields;
}

void restore_fields(AuthRequest& request, const auto& chain) {
    request.fields = chain.fields;
    request.userdb_fields = chain.userdb_fields;
    request.has_userdb_fields = chain.has_userdb_fields;
}

ResultRule rule_for(const auto& entry, AuthResult result) {
    switch (result) {
        case AuthResult::Ok: return entry.success;
        case AuthResult::GoOn: return ResultRule::Continue;
        case AuthResult::InternalFailure: return entry.internal;
        default: return entry.failure;
    }
}

// No database is left to be asked: what the last answer and those before it come to.
AuthResult end_of_chain(const auto& entry, AuthRequest& request, const auto& chain, AuthResult result,
                        const std::string& message) {
    if (result == AuthResult::GoOn) {
        log_error(fmt::format("{}({}): Last passdb had noauthenticate field, cannot authenticate user", entry.driver,
                              request.log_identity()));
        request.trail.remark("and no database behind it");
        return AuthResult::InternalFailure;
    }
    if (chain.succeeded) return AuthResult::Ok;
    if (chain.internal_failure) return AuthResult::InternalFailure;
    if (result != AuthResult::Ok) {
        if (!message.empty()) request.fields.set("reason", message);
        return result;
    }
    request.trail.remark("but by result_success of the last database nobody is let in");
    return AuthResult::RuledOut;
}
}  // namespace

// Moves to the next database that is to be asked, from a place on; false if there is none.
bool AuthEngine::seek(AuthRequest& request, Chain& chain, std::size_t from) const {
    auto why_not = [&](const PassDbEntry& entry) -> std::string_view {
        // A lookup without a login has the mechanism "none".
        std::string_view mechanism = request.mechanism.empty() ? "NONE" : std::string_view(request.mechanism);
        const auto& mechanisms = entry.mechanisms;
        if (!mechanisms.empty() && std::find(mechanisms.begin(), mechanisms.end(), mechanism) == mechanisms.end())
            return "not asked, its mechanisms leave this one out";
        if (mechanisms.size() == 1 && mechanisms[0] == "NONE") return "not asked, mechanisms = none";
        if (!entry.username_filter.empty() && !matches_username_filter(entry.username_filter, request.user))
            return "not asked, its username_filter leaves this user out";
        if (entry.skip == PassDbEntry::Skip::Authenticated && chain.verified) return "not asked, skip = authenticated";
        if (entry.skip == PassDbEntry::Skip::Unauthenticated && !chain.verified)
            return "not asked, skip = unauthenticated";
        return {};
    };
    for (chain.next = from; chain.next < passdbs_.size(); ++chain.next) {
        const PassDbEntry& entry = passdbs_[chain.next];
        if (entry.master != chain.in_masters) continue;
        std::string_view why = why_not(entry);
        if (why.empty()) return true;
        request.trail.add(entry.label, why);
    }
    return false;
}

bool AuthEngine::has_masters() const {
    return std::any_of(passdbs_.begin(), passdbs_.end(), [](const auto& entry) { return entry.master; });
}

// Nothing: the next database costs more than the walk may; it goes on where it stopped.
std::optional<AuthResult> AuthEngine::run_chain(AuthRequest& request, Chain& chain, Pace& pace) const {
    if (!chain.begun) {
        chain.begun = true;
        chain.in_masters = !request.login_user.empty();
        keep_fields(request, chain);
        if (chain.in_masters && !has_masters()) {
            log_info(fmt::format("{}({}): Attempted master login with no master passdbs (trying to log in as user: {})",
                                 to_lower(request.mechanism), request.log_identity(), request.login_user));
            request.trail.add("master user", "there is no passdb with master = yes");
            return AuthResult::UnknownUser;
        }
        if (!seek(request, chain, 0)) {
            log_error(fmt::format("{}({}): All password databases were skipped", to_lower(request.mechanism),
                                  request.log_identity()));
            return AuthResult::InternalFailure;
        }
    }
    while (true) {
        const PassDbEntry& entry = passdbs_[chain.next];
        auto answer = ask_passdb(entry, request, chain, pace);
        if (!answer) return std::nullopt;
        if (auto result = judge(entry, request, chain, *answer)) return result;
    }
}

// What the answer of one database comes to: the result of the walk, or nothing if the next one is to be asked.
std::optional<AuthResult> AuthEngine::judge(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                            AuthResult result) const {
    if (entry.deny && result != AuthResult::UnknownUser) {
        restore_fields(request, chain);
        if (result == AuthResult::InternalFailure) return result;
        log_failure(entry, request, "User found from deny passdb", nullptr);
        request.trail.add(entry.label, "denied (deny = yes)");
        return AuthResult::Disabled;
    }
    std::string message = std::exchange(chain.message, {});
    // Rules are for those who may log in at all.
    if (result == AuthResult::Disabled || result == AuthResult::Expired) {
        if (message.empty() && result == AuthResult::Expired) message = "Password expired";
        if (!message.empty()) request.fields.set("reason", message);
        return result;
    }
    const bool proven = result == AuthResult::Ok;
    const ResultRule rule = rule_for(entry, result);
    bool goes_on = rule == ResultRule::Continue || rule == ResultRule::ContinueOk || rule == ResultRule::ContinueFail;
    if (rule == ResultRule::ReturnOk || rule == ResultRule::ContinueOk) chain.succeeded = true;
    if (rule == ResultRule::ReturnFail || rule == ResultRule::ContinueFail) chain.succeeded = false;
    // The fields that say how to compare are for this database alone.
    request.fields.remove("nopassword");
    request.fields.remove("noauthenticate");
    if (proven || result == AuthResult::GoOn) keep_fields(request, chain);
    else restore_fields(request, chain);

    std::size_t from = chain.next + 1;
    if (proven && !request.login_user.empty()) {
        if (chain.is_proof_pending) return judge_master(entry, request, chain);
        if (++chain.switches > kSwitchLimit) {
            log_error(fmt::format("{}({}): login_user goes round and round", entry.driver, request.log_identity()));
            return AuthResult::InternalFailure;
        }
        become_login_user(request);
        chain.in_masters = false;
        from = 0;
    } else if (!chain.in_masters) {
        request.login_user.clear();  // of a database that has not proven anything
    }
    if ((rule == ResultRule::Continue && proven) || rule == ResultRule::ContinueOk) chain.verified = true;
    if (goes_on && seek(request, chain, from)) {
        if (result == AuthResult::InternalFailure) chain.internal_failure = true;
        return std::nullopt;
    }
    return end_of_chain(entry, request, chain, result, message);
}

// A master passdb has the credentials of the master user; what its rules want comes when he has proven himself.
std::optional<AuthResult> AuthEngine::judge_master(const PassDbEntry& entry, AuthRequest& request, Chain&) const {
    using Lookup = AuthRequest::MasterLookup;
    switch (entry.success) {
        case ResultRule::ReturnOk: request.master_lookup = Lookup::Found; return AuthResult::Ok;
        case ResultRule::Continue:
        case ResultRule::ContinueFail: request.master_lookup = Lookup::FoundAndGoOn; return AuthResult::Ok;
        case ResultRule::ContinueOk: request.master_lookup = Lookup::FoundAndGoOnAsProven; return AuthResult::Ok;
        case ResultRule::Return:
        case ResultRule::ReturnFail: break;
    }
    return AuthResult::RuledOut;
}

// A master user is proven: from here on it is the other user's login.
void AuthEngine::become_login_user(AuthRequest& request) const {
    log_info(fmt::format("{}({}): Master user logging in as {}", to_lower(request.mechanism), request.log_identity(),
                         request.login_user));
    request.master_user = request.user;
    request.user = std::move(request.login_user);
    request.login_user.clear();
}

std::shared_ptr<AuthEngine::Walk> AuthEngine::start_verify(AuthRequest& request, const SecretString& password) const {
    request.password = password;
    auto walk = std::make_shared<Walk>(Walk{request, Pace::step_by_step()});
    walk->password = password;
    walk->chain.password = &walk->password;
    // App passwords are for one's own mail.
    if (!request.login_user.empty()) walk->app_state = Walk::AppPasswordState::NotOne;
    return walk;
}

std::shared_ptr<AuthEngine::Walk> AuthEngine::start_lookup(AuthRequest& request) const {
    auto walk = std::make_shared<Walk>(Walk{request, Pace::step_by_step(), Walk::Kind::Credentials});
    walk->chain.is_proof_pending = !request.mechanism.empty();
    return walk;
}

std::shared_ptr<AuthEngine::Walk> AuthEngine::start_accept(AuthRequest& request) const {
    using Lookup = AuthRequest::MasterLookup;
    auto walk = std::make_shared<Walk>(Walk{request, Pace::step_by_step(), Walk::Kind::Accept});
    if (request.login_user.empty()) {
        walk->settled = AuthResult::Ok;
    } else if (request.master_lookup == Lookup::None) {
        walk->settled = AuthResult::UnknownUser;
    } else {
        become_login_user(request);
        Chain& chain = walk->chain;
        chain.begun = chain.verified = true;
        chain.succeeded = request.master_lookup == Lookup::FoundAndGoOnAsProven;
        keep_fields(request, chain);
        if (request.master_lookup == Lookup::Found) walk->settled = AuthResult::Ok;
        else if (!seek(request, chain, 0)) walk->settled = chain.succeeded ? AuthResult::Ok : AuthResult::RuledOut;
    }
    return walk;
}

Work AuthEngine::wanted_work(const Walk& walk) { return walk.pace.wanted; }
const std::string& AuthEngine::lane(const Walk& walk) { return walk.pace.lane; }

std::optional<AuthResult> AuthEngine::advance(Walk& walk, Work limit) const {
    AuthRequest& request = walk.request;
    walk.pace.limit = limit;
    walk.pace.has_waited = false;
    std::optional<AuthResult> result = walk.settled;
    AuthResult by_app_password = AuthResult::Mismatch;
    auto step = walk.kind == Walk::Kind::Password ? try_app_password(walk, by_app_password) : AppPasswordStep::NotOne;
    if (step == AppPasswordStep::Paused) return std::nullopt;
    if (step == AppPasswordStep::Decided) result = by_app_password;
    if (!result) result = run_chain(request, walk.chain, walk.pace);
    if (!result || walk.kind == Walk::Kind::Credentials) return result;
    result = insist_on_app_password(request, *result);
    request.passdb_succeeded = *result == AuthResult::Ok;
    return result;
}

AuthResult AuthEngine::verify(AuthRequest& request, const SecretString& password) const {
    auto walk = start_verify(request, password);
    walk->pace.one_wait = false;
    return *advance(*walk, Work::Blocking);
}

AuthResult AuthEngine::accept(AuthRequest& request) const {
    auto walk = start_accept(request);
    walk->pace.one_wait = false;
    return *advance(*walk, Work::Blocking);
}

Credentials AuthEngine::lookup_credentials(AuthRequest& request) const {
    auto walk = start_lookup(request);
    walk->pace.one_wait = false;
    AuthResult result = *advance(*walk, Work::Blocking);
    return take_credentials(*walk, result);
}

Credentials AuthEngine::take_credentials(Walk& walk, AuthResult result) { return to_credentials(walk.chain, result); }

Credentials AuthEngine::to_credentials(Chain& chain, AuthResult result) {
    Credentials out;
    out.result = result;
    out.password = std::move(chain.credentials);
    out.lacks_password = chain.lacks_password;
    out.unsupported = result != AuthResult::Ok && chain.any_unsupported;
    return out;
}

}  // namespace culver
