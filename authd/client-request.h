// ClientRequest: one AUTH of a client, from its line to its OK or FAIL.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lib-auth/auth-engine.h"
#include "lib-auth/auth-request.h"
#include "lib-auth/mechanism.h"

namespace culver {

struct ClientRequest {
    std::uint32_t id = 0;
    std::uint64_t connection = 0;  // number of the connection it came by; that may be gone when it is answered
    AuthRequest auth;
    std::shared_ptr<const AuthEngine> engine;  // shared with the server: a reload must not pull it away under a request
    std::unique_ptr<Mechanism> mechanism;
    std::optional<std::string> initial_response;
    bool final_response_ok = false;
    bool is_costly = false;       // its mechanism derives keys: off the loop
    bool keep_for_pickup = false;  // came by a login socket: a mail process may ask for it
    unsigned steps = 0;
    enum class State { Held, WaitingForClient, Working, SendingFinal, Refused } state = State::Held;
    std::optional<SaslStep> proven;  // SendingFinal: the last message is on its way, OK follows its answer
};

}  // namespace culver
