// AuthRequest: one login or lookup on its way through the databases. Owned by one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "lib-auth/auth-fields.h"
#include "lib-auth/login-trail.h"
#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

// A password that is to be stored anew: the right one, in another scheme than auth_password_upgrade_scheme.
struct PasswordUpgrade {
    std::size_t database = 0;  // number of the passdb in its engine
    std::string user;          // under which that was asked
    SecretString stored;       // what it had
    std::string scheme;        // of that
};

// What the client said about itself. Nothing in here decides who somebody is, except `cert_username`, which a login
// process vouches for.
struct AuthRequest {
    std::string service, mechanism;
    std::string local_ip, remote_ip, real_local_ip, real_remote_ip;
    std::string local_port, remote_port, local_name, session, client_id, cert_username;
    bool secured_by_tls = false;  // `secured` only says that nobody could listen
    bool secured = false, valid_client_cert = false, no_penalty = false, no_login = false;
    std::optional<std::uint32_t> session_pid;
    std::string tls_exporter, tls_server_end_point;  // channel bindings of the login process's TLS, raw; empty: none

    std::string user;             // normalised; passdb field `user` may change it
    std::string original_user;    // as the client gave it
    std::string translated_user;  // normalised, before any database changed it
    std::string login_user;       // whose mail is wanted, when a master user logs in
    std::string master_user;      // who logged in as somebody else
    // A mechanism is to prove the master user, whom a master passdb knows; what comes of it: AuthEngine::accept.
    enum class MasterLookup { None, Found, FoundAndGoOn, FoundAndGoOnAsProven } master_lookup = MasterLookup::None;
    bool named = false;     // a user name was given, good or bad
    SecretString password;  // for %w and for logs that the admin asked for

    AuthFields fields;               // what the passdbs returned, for the client
    AuthFields userdb_fields;        // userdb_* of the passdbs, then what the userdbs returned
    bool has_userdb_fields = false;  // a passdb returned userdb_*: prefetch works
    bool passdb_succeeded = false;   // the user is known to exist
    std::optional<std::chrono::system_clock::time_point> delay_until;  // passdb field: an OK is held back until then
    std::string app_password;  // name and id of the app password that proved the user; empty = another way
    std::optional<std::string> app_password_required;  // passdb field of that name
    std::optional<PasswordUpgrade> upgrade;
    LoginTrail trail;  // what each database said, for the log

    // The value of a variable by its long name, for templates of settings and fields.
    std::optional<std::string> variable(std::string_view name) const;
    // "alice,192.0.2.1,<session>": what stands in brackets behind a driver or mechanism in the log.
    std::string log_identity() const;
};

// Expands %variables of `text` for `request`; a text without any is returned as it is.
Result<std::string> expand_for_request(std::string_view text, const AuthRequest& request);

}  // namespace culver
