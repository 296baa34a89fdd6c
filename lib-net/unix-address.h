// UnixAddress: a sockaddr_un for a path of any length.
//
// sun_path holds 107 bytes; a longer path is reached through an open descriptor of its directory, so the object must
// live until the connect or bind is done.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

class UnixAddress {
public:
    static Result<UnixAddress> of(const std::string& path);
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
    socklen_t length() const { return sizeof address_; }

private:
    sockaddr_un address_{};
    UniqueFd directory_;
};

}  // namespace culver
