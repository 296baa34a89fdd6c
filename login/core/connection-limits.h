// ConnectionLimits: how many strangers may wait at the door, and whom to send away.
//
// Only connections that have not logged in count. When an address has too many, its own oldest goes; when all together
// are too many, the oldest of all goes, except that a tenth is kept for addresses that have none yet. Every operation
// costs O(log n) at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "lib-net/ip-address.h"

namespace culver {

class LoginClient;

struct LimitOptions {
    std::size_t per_address = 20;
    std::size_t total = 1000;
};

class ConnectionLimits {
public:
    explicit ConnectionLimits(LimitOptions options = {}) : options_(options) {}

    // Trusted: the machine itself (a webmail that logs in many users at once) and login_trusted_networks; per_address
    // is not for them.
    enum class Source { Stranger, Trusted };

    // Enters a client; returns the one that has to go for it, or null. It may be the client itself. The one returned is
    // still counted: the caller drops it and calls remove().
    LoginClient* add(LoginClient& client, const IpAddress& address, Source source = Source::Stranger);
    void remove(LoginClient& client);
    std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::string address;
        std::list<LoginClient*>::iterator in_all, in_address;
    };
    LimitOptions options_;
    std::list<LoginClient*> all_;                                          // oldest first
    std::unordered_map<std::string, std::list<LoginClient*>> by_address_;  // oldest first
    std::unordered_map<LoginClient*, Entry> entries_;
};

}  // namespace culver
