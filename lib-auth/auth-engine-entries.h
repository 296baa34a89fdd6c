// The databases of an AuthEngine as configured; private to auth-engine*.cpp.
#pragma once

#include "lib-auth/auth-engine.h"
#include "lib-auth/result-rule.h"

namespace culver {

struct AuthEngine::PassDbEntry {
    std::unique_ptr<PassDb> database;
    std::string driver;
    std::string lane;  // of its waiting work: one for each thing that can hang
    std::vector<std::string> default_fields, override_fields, mechanisms;
    std::vector<std::string> username_filter;
    ResultRule success = ResultRule::ReturnOk, failure = ResultRule::Continue, internal = ResultRule::Continue;
    enum class Skip { Never, Authenticated, Unauthenticated } skip = Skip::Never;
    bool deny = false, pass = false, master = false;
    bool verbose = false;
};

struct AuthEngine::UserDbEntry {
    std::unique_ptr<UserDb> database;
    std::string driver;
    std::string lane;
    std::vector<std::string> default_fields, override_fields;
    ResultRule success = ResultRule::ReturnOk, failure = ResultRule::Continue, internal = ResultRule::Continue;
    enum class Skip { Never, Found, NotFound } skip = Skip::Never;
    bool verbose = false;
};

// One walk through the passdbs.
struct AuthEngine::Chain {
    const SecretString* password = nullptr;  // null: credentials are wanted
    bool succeeded = false;
    bool internal_failure = false;
    bool any_lookup = false;   // at least one database could be asked for credentials
    bool any_unsupported = false;  // at least one could not
    AuthResult last = AuthResult::UnknownUser;
    SecretString credentials;
    std::optional<PassDbReply> reply;  // of the passdb at hand, when its comparison has to run elsewhere
    std::size_t next = 0;         // the passdb to be asked next
    Work wanted = Work::Cheap;    // what that costs, when the walk has paused before it
    bool one_wait = false;        // ask at most one database that waits, and do nothing costly behind it
    bool has_waited = false;

    Work allowed(Work limit) const { return one_wait && has_waited ? Work::Cheap : limit; }
};

struct AuthEngine::Walk {
    AuthRequest& request;
    SecretString password;
    Chain chain;
    enum class AppPasswordState { Untried, NotOne, Matched, Allowed } app_state = AppPasswordState::Untried;
    AppPassword app_password;  // Matched, Allowed
};

}  // namespace culver
