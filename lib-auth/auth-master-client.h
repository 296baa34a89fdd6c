// The master side of the auth protocol: "who is this, where is the mail" (docs/auth-protocol.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-base/result.h"
#include "lib-net/event-loop.h"

namespace culver {

struct UserRecord {
    std::string username;                                     // normalised
    std::vector<std::pair<std::string, std::string>> fields;  // uid, gid, home, mail, quota_rule, ... in order
    // The value of the first field of that name; null if absent. A bare field has an empty value.
    const std::string* find(std::string_view key) const;
};

struct UserLookup {
    std::string username, service;
    std::string local_ip, remote_ip, session;
};

// A successful login to be picked up: what the login process was told about it.
struct LoginTicket {
    std::uint32_t client_pid = 0, auth_id = 0;
    std::string cookie;
    std::optional<std::uint32_t> session_pid;
};

// Blocking; one connection, opened on first use and again after a failure. One thread at a time.
// Errors: Unavailable when authd cannot be reached or says "internal failure": a temporary failure, never "no such
// user".
class AuthMasterClient {
public:
    explicit AuthMasterClient(std::string socket_path);
    ~AuthMasterClient();

    // USER, PASS: what the userdbs or the passdbs say; nothing for an unknown user.
    Result<std::optional<UserRecord>> lookup_user(const UserLookup& lookup);
    Result<std::optional<UserRecord>> lookup_passdb(const UserLookup& lookup);
    // REQUEST: the record of who has logged in; each ticket serves once. Nothing: no userdb knows him.
    Result<std::optional<UserRecord>> pick_up_login(const LoginTicket& ticket);
    // LIST: every user that the userdbs of this service name.
    Result<std::vector<std::string>> list_users(const std::string& service);
    // CACHE-FLUSH: all verdicts, or those of these users; returns how many were forgotten.
    Result<std::uint64_t> flush_cache(const std::vector<std::string>& users);

    // Addresses whose next login is held back because they guess passwords. Master sockets only.
    struct Penalty {
        std::string address;  // an address, a network like 2001:db8:0:1::/64, or empty: clients without an address
        std::uint32_t level = 0;
        std::chrono::milliseconds left{0};    // until its next login is looked at
        std::uint64_t distinct = 0;           // different wrong logins
        std::uint64_t attempts = 0;           // wrong logins, repeated ones too
        std::chrono::milliseconds forget{0};  // until it is forgotten, if nothing more fails
    };
    Result<std::vector<Penalty>> list_penalties();
    // All, or those of these addresses; returns how many were forgotten.
    Result<std::uint64_t> clear_penalties(const std::vector<std::string>& addresses);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The same on an EventLoop, many requests at once; for dispatchers, which must never wait.
class AsyncAuthMasterClient {
public:
    using Callback = std::function<void(Result<std::optional<UserRecord>>)>;

    // The loop outlives it. No callback runs after it is gone.
    AsyncAuthMasterClient(EventLoop& loop, std::string socket_path);
    ~AsyncAuthMasterClient();

    // As AuthMasterClient's. The callback runs on the loop, once.
    void lookup_user(const UserLookup& lookup, Callback callback);
    void pick_up_login(const LoginTicket& ticket, Callback callback);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace culver
