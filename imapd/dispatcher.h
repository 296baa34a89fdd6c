// Dispatcher: the privileged half of imapd. Takes logins from the login processes, asks authd whose they are, and gives
// each client's socket to a worker of that user's uid. It reads no byte from a client.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "imapd/admin-sockets.h"
#include "imapd/session-job.h"
#include "imapd/session-list.h"
#include "imapd/user-identity.h"
#include "lib-auth/auth-master-client.h"
#include "lib-service/login-handover.h"
#include "lib-service/service.h"
#include "lib-service/worker-pool.h"

namespace culver {

class Dispatcher {
public:
    explicit Dispatcher(Service& service);
    ~Dispatcher();
    int run();

private:
    class LoginConnection;

    void accept(InheritedListener& listener);
    // `answer` is called exactly once, perhaps before this returns.
    void take_login(LoginHandover login, UniqueFd client, std::function<void(const HandoverReply&)> answer);
    HandoverReply start_session(LoginHandover login, UniqueFd client, const UserRecord& record);
    HandoverReply refuse_session(const LoginHandover& login, const UniqueFd& client, const std::string& user,
                                 const Error& why);
    void on_message(pid_t pid, std::string_view message);
    void on_exit(pid_t pid, std::string_view reason);
    void on_stop();
    void stop_if_done();
    // Another dispatcher takes over: the logins that are being handed over are finished here, the workers go on.
    void on_retire();
    void leave_when_answered();

    Service& service_;
    AsyncAuthMasterClient auth_;
    SessionList sessions_;
    AdminSockets admin_;
    AccountNames names_;
    std::unique_ptr<WorkerPool> workers_;
    std::unordered_map<int, std::shared_ptr<LoginConnection>> logins_;  // shared with answers under way
    bool stopping_ = false;
};

}  // namespace culver
