// MasterConnection: one peer of the master side: mail processes, LMTP, doveadm. docs/auth-protocol.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "authd/server.h"
#include "lib-auth/line-connection.h"

namespace culver {

class MasterConnection {
public:
    // Greets at once. `number` names it to the server, which owns it; `rights`: what its peer may ask.
    MasterConnection(AuthServer& server, std::uint64_t number, UniqueFd fd, AuthProtocol protocol, UserDbRights rights);

    bool is_open() const { return lines_ && lines_->is_open(); }
    void write(std::string_view line) { lines_->write(line); }

private:
    struct Lookup;
    using LookupPtr = std::shared_ptr<Lookup>;  // shared with the pools' threads

    void handle_line(std::string_view line);
    void handle_user(std::string_view line);
    // Asks the databases in turn, cheap ones here, the others where they hold nobody up; then `done`, if the connection
    // still stands.
    template <typename Walk, typename Answer>
    void walk_on(const LookupPtr& lookup, const std::shared_ptr<Walk>& walk, std::function<void(Answer)> done);
    void look_up_user(const LookupPtr& lookup, std::function<void()> done);
    struct Listing;
    void list_on(const std::shared_ptr<Listing>& listing);
    void handle_pass(std::string_view line);
    void handle_list(std::string_view line);
    void handle_penalty(std::string_view line);
    void handle_request(std::string_view line);
    LookupPtr parse_lookup(std::string_view line);
    bool may_see(const Lookup& lookup) const;
    void cut_off(const std::string& why);

    AuthServer& server_;
    const std::uint64_t number_;
    const AuthProtocol protocol_;
    const UserDbRights rights_;
    pid_t peer_pid_ = 0;
    std::unique_ptr<LineConnection> lines_;
};

}  // namespace culver
