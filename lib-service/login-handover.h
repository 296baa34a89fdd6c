// What a login process tells a mail process with the client's socket (base_dir/login/<protocol>).
//
// A handover on the stream: 4 bytes length (big-endian), then serialize(); the client's descriptor travels with the
// first byte. A connection carries any number of handovers; the replies (HandoverReply, a line each) come in their
// order.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib-auth/auth-master-client.h"
#include "lib-base/result.h"

namespace culver {

inline constexpr std::size_t kHandoverLimit = 32 << 10;
// At most so much of what the client sent behind its login command may travel along.
inline constexpr std::size_t kPendingInputLimit = 16 << 10;

struct LoginHandover {
    LoginTicket ticket;
    std::string user;     // as authd said it; for logs only, the pick-up decides
    std::string tag;      // IMAP tag of LOGIN/AUTHENTICATE: the mail process sends the tagged OK
    std::string session;  // session id, 16 characters of base64
    std::string local_ip, remote_ip;
    std::uint16_t local_port = 0, remote_port = 0;
    bool tls = false, secured = false;
    bool client_asked_capability = false;  // then OK carries no [CAPABILITY ...]: it is sent untagged first
    std::string pending_input;             // what the client has sent behind the login command

    // Binary, length-prefixed, versioned; travels with one descriptor (the client, or the proxy's end of a pair for
    // TLS).
    std::string serialize() const;
    static Result<LoginHandover> deserialize(std::string_view bytes);
};

// The answer on the same connection: "OK <mpid>\n" once a worker has the socket, or "FAIL <code> <text>\n", after which
// the login process answers the client itself. Codes: limit, internal, unavailable.
struct HandoverReply {
    bool ok = false;
    pid_t mail_pid = 0;
    std::string code, text;
    std::string to_line() const;
    static Result<HandoverReply> parse(std::string_view line);
};

}  // namespace culver
