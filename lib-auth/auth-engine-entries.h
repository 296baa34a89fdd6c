// The databases of an AuthEngine as configured; private to auth-engine*.cpp.
#pragma once

#include "lib-auth/auth-engine.h"
#include "lib-auth/result-rule.h"

namespace culver {

struct AuthEngine::PassDbEntry {
    std::shared_ptr<PassDb> database;  // shared by the engines of services whose block it is
    std::string driver;
    std::string label;  // in a trail: the driver with its file or service
    std::string lane;   // of its waiting work: one for each thing that can hang
    std::vector<std::string> default_fields, override_fields, mechanisms;
    std::vector<std::string> username_filter;
    ResultRule success = ResultRule::ReturnOk, failure = ResultRule::Continue, internal = ResultRule::Continue;
    enum class Skip { Never, Authenticated, Unauthenticated } skip = Skip::Never;
    bool deny = false, master = false;
    bool verbose = false;
};

struct AuthEngine::UserDbEntry {
    std::shared_ptr<UserDb> database;  // as above
    std::string driver;
    std::string lane;
    std::vector<std::string> default_fields, override_fields;
    ResultRule success = ResultRule::ReturnOk, failure = ResultRule::Continue, internal = ResultRule::Continue;
    enum class Skip { Never, Found, NotFound } skip = Skip::Never;
    bool verbose = false;
};

// Database columns: `user` is the whole name, `username` and `domain` its two halves.
void rename_user(std::string& user, std::string_view key, std::string_view value);

// One walk through the passdbs: those for master users first if it is their login, then the others.
struct AuthEngine::Chain {
    const SecretString* password = nullptr;  // null: credentials are wanted
    bool for_account = false;                // credentials, and the account's rules: an app password has matched
    bool begun = false;
    bool in_masters = false;           // it is among the passdbs with master = yes
    bool succeeded = false;            // what the result rules have made of the answers so far
    bool verified = false;             // the password is proven: whatever comes now only adds fields
    bool is_proof_pending = false;     // credentials for a mechanism, which proves the user later
    bool internal_failure = false;     // a database that was passed over might have known
    bool lacks_password = false;       // the last one that knows the user has neither a password nor nopassword
    bool any_unsupported = false;      // a database gives no credentials away
    SecretString credentials;          // of the last database that had some
    std::string message;               // of the last database, for a client that it refuses
    std::optional<PassDbReply> reply;  // of the passdb at hand, when its comparison has to run elsewhere
    // What the databases that succeeded have said; one that fails leaves no fields behind.
    AuthFields fields, userdb_fields;
    bool has_userdb_fields = false;
    std::string asked_user;  // under what name the database at hand was asked; kept for a hash upgrade only
    unsigned switches = 0;   // of the user, by master logins and login_user
    std::size_t next = 0;    // the passdb to be asked next
};

// One walk through the userdbs.
struct AuthEngine::UserChain {
    std::size_t next = 0;                    // the userdb to be asked next
    bool succeeded = false;                  // what the result rules have made of the answers so far
    bool internal_failure = false;           // a database that was passed over might have known
    std::optional<Chain> existence;          // the passdbs, which the userdb at hand leaves that to (static)
    std::optional<UserResult::Kind> exists;  // what they have said
    std::optional<AuthFields> known_before;  // the userdbs' fields of the request before they were asked
};

// What one call of `advance` may do, and where it has stopped.
struct AuthEngine::Pace {
    Work limit = Work::Blocking;
    bool one_wait = false;  // ask at most one database that waits, and do nothing costly behind it
    bool has_waited = false;
    Work wanted = Work::Cheap;  // stopped: what comes next costs this
    std::string lane;           // stopped before something that waits: for whom

    static Pace step_by_step() { return {Work::Cheap, true, false, Work::Cheap, {}}; }
    Work allowed() const { return one_wait && has_waited ? Work::Cheap : limit; }
    // The event loop is the one thread that asks with `lookup_at_once`.
    bool is_on_loop() const { return limit == Work::Cheap; }
    // True: what costs `work` may run, and if it waits, nothing else may after it. False: the walk stops before it.
    bool admits(Work work, const std::string& whose_lane) {
        if (work <= allowed()) {
            has_waited = has_waited || work == Work::Blocking;
            return true;
        }
        wanted = work;
        lane = whose_lane;
        return false;
    }
};

struct AuthEngine::Walk {
    AuthRequest& request;
    Pace pace;
    enum class Kind { Password, Credentials, Accept } kind = Kind::Password;
    SecretString password{};
    Chain chain{};
    std::optional<AuthResult> settled{};  // Accept: without asking anybody
    enum class AppPasswordState { Untried, NotOne, Matched, Allowed } app_state = AppPasswordState::Untried;
    AppPassword app_password{};  // Matched, Allowed
    // Matched: what the passdbs say without a password, and the userdbs where those cannot tell.
    std::optional<Chain> account{};
    std::optional<AuthResult> account_result{};
    std::optional<AuthRequest> probe{};
    UserChain probe_chain{};
};

struct AuthEngine::UserWalk {
    AuthRequest& request;
    Pace pace;
    UserChain chain{};
};

}  // namespace culver
