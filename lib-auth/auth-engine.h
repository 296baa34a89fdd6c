// AuthEngine: who may log in and who is who, by the configured databases in their order.
//
// Immutable once made; a reload makes another one. All calls may come from several threads, each with its own request.
// `*_work` says what a call would cost, so that a server can keep slow ones off its event loop; a password is compared
// database by database, each where it may run.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/app-passwords/app-passwords.h"
#include "lib-auth/auth-request.h"
#include "lib-auth/auth-settings.h"
#include "lib-auth/passdb.h"
#include "lib-auth/userdb.h"
#include "lib-auth/verdict-cache.h"

namespace culver {

class AuthPolicy;

enum class AuthResult {
    Ok,
    Mismatch,
    UnknownUser,
    Disabled,
    Expired,
    NoCredentials,    // the database gives no password away, or none that can serve this mechanism
    RuledOut,         // proven, but the result rules of the databases let nobody in by that
    InternalFailure,  // could not tell
    GoOn,             // of one database, never of a walk: noauthenticate, the next one decides
};

struct Credentials {
    AuthResult result = AuthResult::UnknownUser;
    SecretString password;        // with {SCHEME}; only with Ok
    bool lacks_password = false;  // with Ok: neither a password nor nopassword
    bool unsupported = false;     // not Ok, and a passdb that does not support lookups may know the user
};

struct UserResult {
    enum class Kind { Found, NotFound, InternalFailure } kind = Kind::NotFound;
    std::string reason;  // of a failure, for the caller's log
};

class AuthEngine {
public:
    // Makes every database. The error names the setting to mend; without a passdb it is Dovecot's
    // "No passdbs specified in configuration file. PLAIN mechanism needs one".
    // `like`: the engine of another service, with which equal databases and the cache are shared.
    static Result<std::shared_ptr<AuthEngine>> create(AuthSettings settings, const DriverContext& context,
                                                      const AuthEngine* like = nullptr);
    ~AuthEngine();

    const AuthSettings& settings() const { return settings_; }
    // The server that has a say in each login; null if none is configured.
    const AuthPolicy* policy() const { return policy_.get(); }

    // Normalises and checks a name (characters, translation, realm, format, master separator) and sets the user of the
    // request. The error says for the log why the name is refused.
    Status set_user(AuthRequest& request, std::string_view name) const;
    // For an authorisation identity: whose mail is wanted.
    Status set_login_user(AuthRequest& request, std::string_view name) const;

    // PLAIN, LOGIN: compares a password. A Walk is one such comparison; one thread at a time. `advance` asks the next
    // databases as long as they cost no more than `limit`, at most one that waits, and nothing costly behind that one:
    // the result, or nothing, and then `wanted_work(walk)` says what the next one costs and `lane(walk)` which database
    // it is. Request and engine outlive the walk.
    struct Walk;
    std::shared_ptr<Walk> start_verify(AuthRequest& request, const SecretString& password) const;
    std::optional<AuthResult> advance(Walk& walk, Work limit) const;
    static Work wanted_work(const Walk& walk);
    std::string lane(const Walk& walk) const;
    // The same at once, whatever it costs.
    AuthResult verify(AuthRequest& request, const SecretString& password) const;

    // CRAM-MD5, SCRAM, EXTERNAL ...: the stored password, in whatever scheme it is.
    Work lookup_work(const AuthRequest& request) const;
    Credentials lookup_credentials(AuthRequest& request) const;
    // The same without waiting for anybody; nothing if it would have to, and the request is as it was. Event loop only.
    std::optional<Credentials> lookup_credentials_at_once(AuthRequest& request) const;
    // The first database that such a lookup would wait for.
    std::string lookup_lane(const AuthRequest& request) const;
    // After a mechanism has proven the user by itself: master users, as verify does.
    AuthResult accept(AuthRequest& request) const;
    Work accept_work(const AuthRequest& request) const;

    // uid, gid, home and more into request.userdb_fields.
    Work user_work(const AuthRequest& request) const;
    UserResult lookup_user(AuthRequest& request) const;
    std::optional<UserResult> lookup_user_at_once(AuthRequest& request) const;
    std::string user_lane(const AuthRequest& request) const;
    // Hash upgrade: true if this login, which has succeeded, is to store its password anew, and it is its turn; then
    // exactly one of the others follows. `upgrade_password` hashes and waits for the disk: off the event loop.
    bool may_upgrade_now(const AuthRequest& request) const;
    void upgrade_password(const AuthRequest& request) const;
    void forgo_upgrade() const;
    // Forgets the cached verdicts of these users, or all; returns how many.
    std::size_t flush_cache(const std::vector<std::string>& users) const;
    Status iterate(const std::function<void(std::string_view user)>& visit) const;

private:
    struct PassDbEntry;
    struct UserDbEntry;
    struct Chain;

    explicit AuthEngine(AuthSettings settings);
    static Result<PassDbEntry> make_passdb(const PassDbSettings& db, const DriverContext& context,
                                           const AuthEngine* like);
    static Result<UserDbEntry> make_userdb(const UserDbSettings& db, const DriverContext& context,
                                           const AuthEngine* like);
    Status normalise(const AuthRequest& request, std::string_view name, std::string& out) const;
    Work most_work(const AuthRequest& request) const;
    // auth-engine-walk.cpp: which database next, and what its answer comes to.
    std::optional<AuthResult> run_chain(AuthRequest& request, Chain& chain, Work limit) const;
    std::optional<AuthResult> judge(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                    AuthResult result) const;
    std::optional<AuthResult> judge_master(const PassDbEntry& entry, AuthRequest& request, Chain& chain) const;
    bool seek(AuthRequest& request, Chain& chain, std::size_t from) const;
    void become_login_user(AuthRequest& request) const;
    bool has_masters() const;
    // auth-engine.cpp: one database.
    std::optional<AuthResult> ask_passdb(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                         Work limit) const;
    std::optional<AuthResult> fetch_reply(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                          Work limit) const;
    Result<bool> matches(const PassDbEntry& entry, std::string_view text, const AuthRequest& request,
                         const SecretString& password, std::optional<bool> known = std::nullopt) const;
    bool needs_cpu(const PassDbEntry& entry, const AuthRequest& request, const PassDbReply& reply,
                   const SecretString& password, std::optional<bool>& known) const;
    AuthResult compare(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply, Chain& chain,
                       std::optional<bool> known) const;
    void burn_time(const PassDbEntry& entry, const AuthRequest& request, const SecretString& password) const;
    AuthResult take_credentials(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply,
                                Chain& chain) const;
    // auth-engine-upgrade.cpp
    void note_upgrade(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply,
                      const Chain& chain) const;
    // auth-engine-fields.cpp
    bool apply_fields(const PassDbEntry& entry, AuthRequest& request, PassDbReply& reply, const Chain& chain) const;
    // lib-auth/app-passwords/app-password-walk.cpp
    enum class AppPasswordStep { NotOne, Paused, Decided };
    AppPasswordStep try_app_password(Walk& walk, Work limit, AuthResult& result) const;
    AuthResult ask_without_password(AuthRequest& request) const;
    // The right main password (or a proof of it) where an app password is needed: refused, with words for the client.
    AuthResult insist_on_app_password(AuthRequest& request, AuthResult result) const;
    Credentials to_credentials(Chain& chain, AuthResult result) const;
    std::optional<UserResult> ask_userdbs(AuthRequest& request, Work limit) const;
    std::optional<UserResult::Kind> ask_userdb(const UserDbEntry& entry, AuthRequest& request, Work limit) const;
    std::optional<UserResult> check_existence(AuthRequest& request, Work limit) const;
    void log_failure(const PassDbEntry& entry, const AuthRequest& request, const std::string& why,
                     const SecretString* password) const;

    AuthSettings settings_;
    std::shared_ptr<VerdictCache> cache_;  // shared by the engines of all services
    std::unique_ptr<AuthPolicy> policy_;
    std::shared_ptr<AppPasswords> app_passwords_;  // null: none
    std::vector<PassDbEntry> passdbs_;
    std::vector<UserDbEntry> userdbs_;
    mutable std::mutex upgrade_mutex_;  // guards the two below
    mutable bool is_upgrading_ = false;
    mutable std::chrono::steady_clock::time_point next_upgrade_{};
};

}  // namespace culver
