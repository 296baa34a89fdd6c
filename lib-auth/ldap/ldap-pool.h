// LdapPool: a few connections to the configured servers, for blocking work of several threads.
//
// Connections are made when they are wanted, from the server that answered last, then from the others in their order.
// A connection that proves dead is made anew once for the work at hand. When no server can be had, the pool is down: it
// says so at once to everybody, and one caller tries again after 1, 2, 4, then every 8 seconds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib-auth/ldap/ldap-connection.h"

namespace culver {

class LdapPool {
public:
    using Clock = std::chrono::steady_clock;
    enum class Identity { Default, None };  // None: for binds as users
    // Makes one connection to `uri`; for tests another function than LdapConnection::open and bind_default.
    using Opener = std::function<Result<std::unique_ptr<LdapConnection>>(const std::string& uri)>;

    // `uris` are tried in their order. At most `limit` connections at once.
    LdapPool(std::vector<std::string> uris, Opener opener, std::size_t limit = kConnectionLimit);

    // Runs `work` with a connection of its own. Its errors are passed on; Unavailable, Timeout: the server's fault.
    Status run(const std::function<Status(LdapConnection&)>& work);

    static constexpr std::size_t kConnectionLimit = 8;
    static constexpr std::chrono::seconds kWaitLimit{5};    // for a free connection
    static constexpr std::chrono::seconds kOpenLimit{10};   // then no further server is tried
    static constexpr std::chrono::seconds kIdleLimit{300};  // firewalls forget what is silent for longer
    static constexpr std::chrono::seconds kBackoffLimit{8};

    // How long the pool stays down after so many failures in a row.
    static std::chrono::seconds backoff(unsigned failures);

private:
    struct Idle {
        std::unique_ptr<LdapConnection> connection;
        Clock::time_point since;
    };
    struct Lease {
        std::unique_ptr<LdapConnection> connection;
        std::size_t generation = 0;
        bool is_fresh = false;
    };
    enum class Reuse { Yes, No };

    Result<Lease> take(Reuse reuse);
    Result<Lease> open_one(std::unique_lock<std::mutex>& lock);
    void give_back(Lease lease);
    void failed(std::string why, std::unique_lock<std::mutex>& lock);
    std::unexpected<Error> down_error() const;

    const std::vector<std::string> uris_;
    const Opener opener_;
    const std::size_t limit_;
    std::mutex mutex_;  // guards everything below; not held while a server is asked
    std::condition_variable changed_;
    std::vector<Idle> idle_;
    std::size_t count_ = 0;       // idle and lent ones
    std::size_t generation_ = 0;  // grows when the connections made so far are not to be trusted any more
    std::size_t preferred_ = 0;   // the server that answered last
    unsigned failures_ = 0;       // in a row; 0: up
    bool is_probing_ = false;     // somebody finds out whether it is up again
    Clock::time_point down_until_;
    std::string why_down_;
};

}  // namespace culver
