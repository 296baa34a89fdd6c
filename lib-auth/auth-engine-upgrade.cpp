// AuthEngine: a stored password in another scheme than the configured one is stored anew when its owner has logged in
// (docs/password-upgrade.md).
#include <fmt/format.h>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/auth-engine.h"
#include "lib-auth/password-scheme.h"
#include "lib-base/log.h"

namespace culver {

namespace {
constexpr std::chrono::seconds kAfterFailure{60};
// So that upgrades never take more than a tenth of one core or disk.
constexpr int kRest = 9;
}  // namespace

// The comparison has just succeeded: remembers what there is to do if the login as a whole succeeds too.
void AuthEngine::note_upgrade(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply,
                              const Chain& chain) const {
    request.upgrade.reset();
    if (settings_.password_upgrade_scheme.empty() || chain.in_masters || !request.login_user.empty() ||
        !request.master_user.empty() || !entry.database->can_store_password())
        return;
    const PasswordScheme* stored = scheme_of_password(reply.password.reveal(), entry.database->default_scheme());
    const PasswordScheme* wanted = scheme_of_password("", settings_.password_upgrade_scheme);
    // PLAIN-TRUNC takes many passwords for one; the one that was given may be longer than the user's.
    if (!stored || !wanted || stored == wanted || stored->name == "PLAIN-TRUNC") return;
    request.upgrade = PasswordUpgrade{static_cast<std::size_t>(&entry - passdbs_.data()), chain.asked_user,
                                      reply.password, std::string(stored->name)};
}

bool AuthEngine::may_upgrade_now(const AuthRequest& request) const {
    if (!request.upgrade) return false;
    std::lock_guard lock(upgrade_mutex_);
    auto now = std::chrono::steady_clock::now();
    if (is_upgrading_ || now < next_upgrade_) return false;
    is_upgrading_ = true;
    return true;
}

void AuthEngine::upgrade_password(const AuthRequest& request) const {
    auto start = std::chrono::steady_clock::now();
    const PassDbEntry& entry = passdbs_[request.upgrade->database];
    AuthRequest asked = request;
    asked.user = request.upgrade->user;
    const std::string& scheme = settings_.password_upgrade_scheme;
    Status stored;
    auto fresh = generate_password(scheme, {request.password.reveal(), request.original_user, {}});
    if (fresh) {
        SecretString hash(*fresh);
        ::explicit_bzero(fresh->data(), fresh->size());
        stored = entry.database->store_password(asked, request.upgrade->stored, hash);
    } else {
        stored = fail(fresh.error());
    }
    const bool somebody_else = !stored && stored.error().code == ErrorCode::InUse;
    if (stored)
        log_info(fmt::format("Password of user=<{}> stored anew in {}: {} -> {}", asked.user, entry.label,
                             request.upgrade->scheme, scheme));
    else if (!somebody_else)
        log_error(fmt::format("Password of user=<{}> could not be stored anew in {} ({} -> {}): {}", asked.user,
                              entry.label, request.upgrade->scheme, scheme, stored.error().detail));
    auto end = std::chrono::steady_clock::now();
    std::lock_guard lock(upgrade_mutex_);
    is_upgrading_ = false;
    next_upgrade_ = stored || somebody_else ? end + (end - start) * kRest : end + kAfterFailure;
}

void AuthEngine::forgo_upgrade() const {
    std::lock_guard lock(upgrade_mutex_);
    is_upgrading_ = false;
}

}  // namespace culver
