// ClientConnection: one peer of the client side of the auth protocol (login processes, Postfix). docs/auth-protocol.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "authd/server.h"
#include "lib-auth/line-connection.h"

namespace culver {

class ClientConnection {
public:
    ClientConnection(AuthServer& server, std::uint64_t number, UniqueFd fd, AuthProtocol protocol);
    ~ClientConnection();

    bool is_open() const { return lines_ && lines_->is_open(); }
    bool is_login() const { return protocol_ == AuthProtocol::Login; }
    std::uint32_t client_pid() const { return client_pid_; }
    // Ends a request with its last line.
    void finish(const ClientRequest& request, std::string_view line);

private:
    using RequestPtr = std::shared_ptr<ClientRequest>;  // shared with the pools' threads and the refusal queue

    void handle_line(std::string_view line);
    void handle_version(std::string_view line);
    void handle_cpid(std::string_view line);
    void handle_auth(std::string_view line);
    void handle_cont(std::string_view line);
    void handle_cancel(std::string_view line);
    void begin(const RequestPtr& request);
    void feed(const RequestPtr& request, std::string_view bytes);
    void apply(const RequestPtr& request, SaslStep step);
    void check_password(const RequestPtr& request, SaslStep step);
    void walk_on(const RequestPtr& request, const std::shared_ptr<AuthEngine::Walk>& walk);
    void look_up_credentials(const RequestPtr& request, SaslStep step);
    void succeed(const RequestPtr& request, SaslStep step);
    void decided(const RequestPtr& request, AuthResult result);
    bool name_user(const RequestPtr& request, const SaslStep& step);
    void send_ok(const RequestPtr& request);
    void refuse(const RequestPtr& request, AuthResult result, std::string_view reason = {});
    bool is_under_way(const ClientRequest& request) const;
    void refuse_now(std::uint32_t id, std::string_view fields);
    void wait_for_client(const RequestPtr& request, std::string_view challenge);
    void cut_off(const std::string& why);
    void ended(const std::string& why);

    AuthServer& server_;
    const std::uint64_t number_;
    const AuthProtocol protocol_;
    std::string cookie_;
    std::uint32_t client_pid_ = 0;
    std::optional<unsigned> minor_version_;
    std::unordered_map<std::uint32_t, RequestPtr> requests_;
    std::unordered_map<std::uint32_t, EventLoop::TimerId> timers_;  // of requests that wait for the client or are held
    std::unique_ptr<LineConnection> lines_;
};

}  // namespace culver
