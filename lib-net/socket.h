// Sockets: connect, descriptor passing, peers. All sockets are close-on-exec.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

enum class Blocking { Yes, No };

// A connected UNIX stream socket. `path` may be longer than sun_path (it is reached through its directory).
// Unavailable: nobody listens there, or the listener's queue is full.
Result<UniqueFd> connect_unix(const std::string& path, Blocking blocking);

// A connected pair; `type` is SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM.
Result<std::pair<UniqueFd, UniqueFd>> socket_pair(int type, Blocking blocking);

struct PeerCredentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
// SO_PEERCRED of a UNIX socket.
Result<PeerCredentials> peer_credentials(int fd);

// One message with descriptors (SCM_RIGHTS). `bytes` is at least one byte. The caller keeps its descriptors.
// On a stream socket the descriptors travel with the first byte; the rest is sent completely, waiting if need be.
// At most 16 descriptors. Unavailable: a non-blocking socket is full and nothing was sent.
Status send_with_fds(int socket, std::string_view bytes, std::span<const int> fds);

struct ReceivedMessage {
    std::string bytes;  // empty: the peer closed
    std::vector<UniqueFd> fds;
};
// One recvmsg of at most `limit` bytes and 16 descriptors; extra descriptors are closed. Unavailable: a non-blocking
// socket has nothing to read. Limit: the message was longer (it is lost, its descriptors are closed).
Result<ReceivedMessage> receive_with_fds(int socket, std::size_t limit);

// The same into the caller's buffer, which is not cleared before.
struct ReceivedInto {
    std::size_t size = 0;  // 0: the peer closed
    std::vector<UniqueFd> fds;
};
Result<ReceivedInto> receive_into(int socket, std::span<char> buffer);

Status set_blocking(int fd, Blocking blocking);

}  // namespace culver
