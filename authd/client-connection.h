// ClientConnection: one peer of the client side of the auth protocol (login processes, Postfix): its lines and which
// login attempt they belong to. docs/auth-protocol.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "authd/login-attempt.h"
#include "authd/server.h"
#include "lib-auth/line-connection.h"

namespace culver {

class ClientConnection final : private AttemptPeer {
public:
    // Greets at once. `number` names it to the server, which owns it.
    ClientConnection(AuthServer& server, std::uint64_t number, UniqueFd fd, AuthProtocol protocol);
    ~ClientConnection() override;

    bool is_open() const { return lines_ && lines_->is_open(); }
    bool is_login() const { return protocol_ == AuthProtocol::Login; }
    bool has_attempts() const { return !attempts_.empty(); }
    std::uint32_t client_pid() const { return client_pid_; }
    // The greeting is no longer true, and the protocol has no way to say so: closes as soon as no login is under way.
    void mechanisms_changed();
    // Ends every attempt as a temporary failure.
    void fail_attempts();

private:
    void handle_line(std::string_view line);
    void handle_version(std::string_view line);
    void handle_cpid(std::string_view line);
    void handle_auth(std::string_view line);
    void handle_cont(std::string_view line);
    void handle_cancel(std::string_view line);
    bool may_use(const MechanismSpec& spec) const;
    void forget_certificate(AuthRequest& auth);
    void refuse_now(std::uint32_t id, std::string_view fields);
    void close_if_stale();
    void abandon_attempts(std::string_view why);
    void cut_off(const std::string& why);
    void ended(const std::string& why);

    void send(std::string_view line) override;
    void attempt_ended(std::uint32_t id) override;
    bool is_login_process() const override { return is_login(); }
    void login_proven(std::uint32_t id, AuthRequest&& auth, const std::shared_ptr<const AuthEngine>& engine) override;

    AuthServer& server_;
    const std::uint64_t number_;
    const AuthProtocol protocol_;
    const bool is_believed_about_certificates_;
    bool has_warned_of_certificates_ = false;
    bool is_stale_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // expires with this object, for tasks of the loop
    std::string cookie_;
    std::uint32_t client_pid_ = 0;
    std::optional<unsigned> minor_version_;
    std::unordered_map<std::uint32_t, std::shared_ptr<LoginAttempt>> attempts_;  // shared with work under way
    std::unique_ptr<LineConnection> lines_;
};

}  // namespace culver
