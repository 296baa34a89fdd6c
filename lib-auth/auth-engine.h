// AuthEngine: who may log in and who is who, by the configured databases in their order.
//
// Immutable once made; a reload makes another one. All calls may come from several threads, each with its own request.
// Each question is a walk, database by database, which stops before one that costs more than it may, so that a server
// can ask each where it holds nobody up.
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

    // A walk through the passdbs; one thread at a time, and `limit` Cheap is for the event loop alone. `advance` asks
    // the next databases as long as they cost no more than `limit`, at most one that waits, and nothing costly behind
    // that one: the result, or nothing, and then `wanted_work(walk)` says what the next one costs and `lane(walk)`
    // which database it is. Request and engine outlive the walk.
    struct Walk;
    // PLAIN, LOGIN: compares a password.
    std::shared_ptr<Walk> start_verify(AuthRequest& request, const SecretString& password) const;
    // CRAM-MD5, SCRAM, EXTERNAL ...: the stored password, in whatever scheme it is; when the walk has its result,
    // `take_credentials` has that and the password.
    std::shared_ptr<Walk> start_lookup(AuthRequest& request) const;
    static Credentials take_credentials(Walk& walk, AuthResult result);
    // After a mechanism has proven the user by itself: master users, as with a password.
    std::shared_ptr<Walk> start_accept(AuthRequest& request) const;
    std::optional<AuthResult> advance(Walk& walk, Work limit) const;
    static Work wanted_work(const Walk& walk);
    static const std::string& lane(const Walk& walk);
    // The same at once, whatever they cost.
    AuthResult verify(AuthRequest& request, const SecretString& password) const;
    Credentials lookup_credentials(AuthRequest& request) const;
    AuthResult accept(AuthRequest& request) const;

    // A walk through the userdbs: uid, gid, home and more into request.userdb_fields.
    struct UserWalk;
    std::shared_ptr<UserWalk> start_user_lookup(AuthRequest& request) const;
    std::optional<UserResult> advance(UserWalk& walk, Work limit) const;
    static Work wanted_work(const UserWalk& walk);
    static const std::string& lane(const UserWalk& walk);
    UserResult lookup_user(AuthRequest& request) const;
    // Hash upgrade: true if this login, which has succeeded, is to store its password anew, and it is its turn; then
    // exactly one of the others follows. `upgrade_password` hashes and waits for the disk: off the event loop.
    bool may_upgrade_now(const AuthRequest& request) const;
    void upgrade_password(const AuthRequest& request) const;
    void forgo_upgrade() const;
    // Forgets the cached verdicts of these users, or all; returns how many.
    std::size_t flush_cache(const std::vector<std::string>& users) const;
    // The users of one userdb, by its number from 0 on; waits for it. Unsupported if it cannot say, which is logged.
    std::size_t userdb_count() const;
    const std::string& userdb_lane(std::size_t number) const;
    Status iterate(std::size_t number, const std::function<void(std::string_view user)>& visit) const;
    // What it comes to when all have been asked.
    static Status iteration_result(const std::vector<Status>& of_each);

private:
    struct PassDbEntry;
    struct UserDbEntry;
    struct Chain;
    struct UserChain;
    struct Pace;

    explicit AuthEngine(AuthSettings settings);
    static Result<PassDbEntry> make_passdb(const PassDbSettings& db, const DriverContext& context,
                                           const AuthEngine* like);
    static Result<UserDbEntry> make_userdb(const UserDbSettings& db, const DriverContext& context,
                                           const AuthEngine* like);
    Status normalise(const AuthRequest& request, std::string_view name, std::string& out) const;
    // auth-engine-walk.cpp: which database next, and what its answer comes to.
    std::optional<AuthResult> run_chain(AuthRequest& request, Chain& chain, Pace& pace) const;
    std::optional<AuthResult> judge(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                    AuthResult result) const;
    std::optional<AuthResult> judge_master(const PassDbEntry& entry, AuthRequest& request, Chain& chain) const;
    bool seek(AuthRequest& request, Chain& chain, std::size_t from) const;
    void become_login_user(AuthRequest& request) const;
    bool has_masters() const;
    // auth-engine.cpp: one database.
    std::optional<AuthResult> ask_passdb(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                         Pace& pace) const;
    std::optional<AuthResult> fetch_reply(const PassDbEntry& entry, AuthRequest& request, Chain& chain,
                                          Pace& pace) const;
    Result<bool> matches(const PassDbEntry& entry, std::string_view text, const AuthRequest& request,
                         const SecretString& password, std::optional<bool> known = std::nullopt) const;
    bool needs_cpu(const PassDbEntry& entry, const AuthRequest& request, const PassDbReply& reply,
                   const SecretString& password, std::optional<bool>& known) const;
    AuthResult compare(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply, Chain& chain,
                       std::optional<bool> known) const;
    void burn_time(const PassDbEntry& entry, const AuthRequest& request, const SecretString& password) const;
    AuthResult keep_credentials(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply,
                                Chain& chain) const;
    // auth-engine-upgrade.cpp
    void note_upgrade(const PassDbEntry& entry, AuthRequest& request, const PassDbReply& reply,
                      const Chain& chain) const;
    // auth-engine-fields.cpp
    bool apply_fields(const PassDbEntry& entry, AuthRequest& request, PassDbReply& reply, const Chain& chain) const;
    // lib-auth/app-passwords/app-password-walk.cpp
    enum class AppPasswordStep { NotOne, Paused, Decided };
    AppPasswordStep try_app_password(Walk& walk, AuthResult& result) const;
    std::optional<AppPasswordStep> match_app_password(Walk& walk, AuthResult& result) const;
    std::optional<AppPasswordStep> allow_app_password(Walk& walk, AuthResult& result) const;
    std::optional<AuthResult> ask_without_password(Walk& walk) const;
    // The right main password (or a proof of it) where an app password is needed: refused, with words for the client.
    AuthResult insist_on_app_password(AuthRequest& request, AuthResult result) const;
    static Credentials to_credentials(Chain& chain, AuthResult result);
    std::optional<UserResult> ask_userdbs(AuthRequest& request, UserChain& chain, Pace& pace) const;
    std::optional<UserResult::Kind> ask_userdb(const UserDbEntry& entry, AuthRequest& request, UserChain& chain,
                                               Pace& pace) const;
    std::optional<UserResult::Kind> check_existence(AuthRequest& request, UserChain& chain, Pace& pace) const;
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
