// Listening sockets: what the master opens for its services.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-net/ip-address.h"

namespace culver {

enum class SharePort { No, Yes };  // SO_REUSEPORT: each process has its own queue

// A listening TCP socket, non-blocking. An IPv6 address takes IPv6 only. Port 0 lets the kernel choose.
// InUse when somebody else has the port; Unsupported when the machine has no such address family.
Result<UniqueFd> listen_inet(const IpAddress& address, std::uint16_t port, SharePort share);

struct SocketFileOwner {
    unsigned mode = 0600;
    uid_t uid = static_cast<uid_t>(-1);  // -1: as the process
    gid_t gid = static_cast<gid_t>(-1);
};

// Gives an existing socket or FIFO that owner and mode; never follows a symbolic link. NotFound: there is no file.
Status set_owner(const std::string& path, const SocketFileOwner& owner);

// A listening UNIX stream socket, non-blocking; nobody can connect before owner and mode are right. A socket file that
// nobody listens on is replaced. InUse: another process listens there. AlreadyExists: something that is no socket lies
// there, it is left alone. NotFound: the directory does not exist (yet).
Result<UniqueFd> listen_unix(const std::string& path, const SocketFileOwner& owner);

// A FIFO opened for reading and writing, so that it never sees an end of file. AlreadyExists as above.
Result<UniqueFd> open_fifo(const std::string& path, const SocketFileOwner& owner);

// One connection from a listener, non-blocking. Unavailable: nobody waits (any more).
struct Accepted {
    UniqueFd fd;
    std::optional<IpAddress> local, remote;  // empty for UNIX sockets
    std::uint16_t local_port = 0, remote_port = 0;
};
Result<Accepted> accept_connection(int listener);

}  // namespace culver
