// Which listeners a service's settings ask for, and opening one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"
#include "lib-net/ip-address.h"
#include "lib-net/listen.h"
#include "lib-service/listener-line.h"

namespace culver {

struct WantedListener {
    ListenerKind kind = ListenerKind::Unix;
    std::string name;  // as in the settings, for the service
    std::string path;  // unix, fifo: absolute
    std::optional<IpAddress> address;
    std::uint16_t port = 0;
    bool ssl = false, reuse_port = false;
    bool optional = false;  // "::" of the default `listen`: a machine without IPv6 does without
    SocketFileOwner owner;
    SettingOrigin origin;

    // What makes it the same listener after a reload, whatever its name, owner and flags are then.
    std::string key() const;
    bool is_same_place(const WantedListener& other) const { return kind == other.kind && key() == other.key(); }
    bool has_same_owner(const WantedListener& other) const;
    // Whether a service would see no difference.
    bool has_same_line(const WantedListener& other) const { return name == other.name && ssl == other.ssl; }
    // For error lines: "listen(*, 143)" or the path.
    std::string describe() const;
    ListenerLine line(int fd) const;
};

// Which file of the file system it is: a path may have become another one.
struct FileIdentity {
    std::uint64_t device = 0, inode = 0;
    bool operator==(const FileIdentity&) const = default;
    // Of what is at `path` now, without following a symbolic link; zeros if there is nothing.
    static FileIdentity of(const std::string& path);
};

// All listeners of `service`, those of Culver's own included, for each address of `listen`. Problems (an unknown user,
// an address that does not parse) are appended to `problems`, one line each.
std::vector<WantedListener> wanted_listeners(const Settings& settings, const ServiceSettings& service,
                                             std::vector<std::string>& problems);

Result<UniqueFd> open_listener(const WantedListener& wanted);

}  // namespace culver
