// AuthEngine: an app password in place of the main one, and where it has to be one (docs/app-passwords.md).
#include <fmt/format.h>

#include <ctime>

#include "lib-auth/app-passwords/locked-password.h"
#include "lib-auth/auth-engine-entries.h"
#include "lib-base/log.h"

namespace culver {

namespace {
const std::string kLane = "app-passwords";
constexpr std::string_view kNeeded = "An app password is needed for this account, not its main password.";

std::string label(const AppPassword& row) { return fmt::format("\"{}\" (id {})", row.name, row.id); }

// Mechanisms that prove somebody without the main password need no app password either.
bool proves_the_password(std::string_view mechanism) {
    return mechanism != "EXTERNAL" && mechanism != "ANONYMOUS" && mechanism != "OAUTHBEARER" && mechanism != "XOAUTH2";
}
}  // namespace

// What the databases decide without a password: deny, unknown users, fields with allow_nets and nologin, userdb_*.
// Those that keep their passwords to themselves (PAM) cannot say that a user exists, only what their rules for accounts
// have against him; then a userdb has to know him.
// Nothing: one of them costs more than the walk may.
std::optional<AuthResult> AuthEngine::ask_without_password(Walk& walk) const {
    AuthRequest& request = walk.request;
    if (!walk.account) walk.account.emplace().for_account = true;
    if (!walk.account_result) walk.account_result = run_chain(request, *walk.account, walk.pace);
    if (!walk.account_result) return std::nullopt;
    const AuthResult result = *walk.account_result;
    if (result == AuthResult::Ok && is_locked_password(walk.account->credentials.reveal())) {
        log_info(fmt::format("app-password({}): the stored password begins with '!': the account is locked",
                             request.log_identity()));
        return AuthResult::Disabled;
    }
    bool cannot_tell = result == AuthResult::UnknownUser || result == AuthResult::NoCredentials;
    if (!cannot_tell || !walk.account->any_unsupported) return result;
    if (!walk.probe) walk.probe = request;
    auto found = ask_userdbs(*walk.probe, walk.probe_chain, walk.pace);
    if (!found) return std::nullopt;
    switch (found->kind) {
        case UserResult::Kind::Found: return AuthResult::Ok;
        case UserResult::Kind::NotFound: return AuthResult::UnknownUser;
        case UserResult::Kind::InternalFailure: break;
    }
    log_error(
        fmt::format("app-password({}): no database can say whether this user still exists: use a userdb that "
                    "knows its users, or allow_all_users=yes in userdb static",
                    request.log_identity()));
    return AuthResult::InternalFailure;
}

// Looks for the password among the user's rows. Nothing: it is one of them.
std::optional<AuthEngine::AppPasswordStep> AuthEngine::match_app_password(Walk& walk, AuthResult& result) const {
    using State = Walk::AppPasswordState;
    AuthRequest& request = walk.request;
    walk.app_state = State::NotOne;
    if (!app_passwords_ || !proves_the_password(request.mechanism)) return AppPasswordStep::NotOne;
    auto letters = app_password_letters(walk.password.reveal());
    if (!letters) return AppPasswordStep::NotOne;
    const bool may_wait = walk.pace.limit == Work::Blocking;
    walk.pace.has_waited = may_wait;
    auto rows =
        app_passwords_->of_user(request.user, may_wait ? AppPasswords::Blocking::Yes : AppPasswords::Blocking::No);
    if (!rows) {
        walk.app_state = State::Untried;
        app_passwords_->complain(rows.error());
        request.trail.add("app passwords", "could not be asked");
        result = AuthResult::InternalFailure;
        return AppPasswordStep::Decided;
    }
    if (!*rows) {
        walk.app_state = State::Untried;
        (void)walk.pace.admits(Work::Blocking, kLane);
        return AppPasswordStep::Paused;
    }
    const AppPassword* row = find_app_password(***rows, *letters);
    if (!row) return AppPasswordStep::NotOne;
    walk.app_state = State::Matched;
    walk.app_password = *row;
    return std::nullopt;
}

// Whether the row that matched serves this login, and its user is still let in. Nothing: so it is.
std::optional<AuthEngine::AppPasswordStep> AuthEngine::allow_app_password(Walk& walk, AuthResult& result) const {
    AuthRequest& request = walk.request;
    const std::string name = label(walk.app_password);
    if (!walk.account) {
        std::string why = refusal_of(walk.app_password, request.service, request.remote_ip, std::time(nullptr));
        if (!why.empty()) {
            log_info(fmt::format("app-password({}): {} {}", request.log_identity(), name, why));
            request.trail.add("app password " + name, why);
            result = AuthResult::Mismatch;
            return AppPasswordStep::Decided;
        }
        request.trail.add("app password " + name, "matched");
    }
    auto answer = ask_without_password(walk);
    if (!answer) return AppPasswordStep::Paused;
    result = *answer;
    if (result != AuthResult::Ok) {
        log_info(fmt::format("app-password({}): {} is right, but the databases do not let this user in",
                             request.log_identity(), name));
        return AppPasswordStep::Decided;
    }
    walk.app_state = Walk::AppPasswordState::Allowed;
    return std::nullopt;
}

AuthEngine::AppPasswordStep AuthEngine::try_app_password(Walk& walk, AuthResult& result) const {
    using State = Walk::AppPasswordState;
    if (walk.app_state == State::NotOne) return AppPasswordStep::NotOne;
    if (walk.app_state == State::Untried)
        if (auto step = match_app_password(walk, result)) return *step;
    if (walk.app_state == State::Matched)
        if (auto step = allow_app_password(walk, result)) return *step;
    AuthRequest& request = walk.request;
    const std::int64_t now = std::time(nullptr);
    if (app_passwords_->is_use_due(walk.app_password.id, now)) {
        if (!walk.pace.admits(Work::Blocking, kLane)) return AppPasswordStep::Paused;
        app_passwords_->record_use(walk.app_password.id, {now, request.service, request.remote_ip});
    }
    request.app_password = label(walk.app_password);
    log_info(fmt::format("app-password({}): {} used for service {}", request.log_identity(), request.app_password,
                         request.service));
    result = AuthResult::Ok;
    return AppPasswordStep::Decided;
}

AuthResult AuthEngine::insist_on_app_password(AuthRequest& request, AuthResult result) const {
    if (result != AuthResult::Ok || !request.app_password.empty() || !request.master_user.empty()) return result;
    const std::string& rule =
        request.app_password_required ? *request.app_password_required : settings_.app_password_required;
    if (rule == "no" || !proves_the_password(request.mechanism) || !is_app_password_required(rule, request.service))
        return result;
    log_info(fmt::format("app-password({}): the main password is right, but an app password is needed for service {}",
                         request.log_identity(), request.service));
    request.trail.remark("but an app password is needed for this service");
    // What the databases say about the user is for those who got in.
    request.fields.clear();
    request.fields.set("reason", kNeeded);
    return AuthResult::Mismatch;
}

}  // namespace culver
