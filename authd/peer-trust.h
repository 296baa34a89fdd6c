// What follows from how a connection came in.
#pragma once

namespace culver {

// Whether any user of this machine, or of the network, may connect to the listener that `fd` was accepted from: it is
// no UNIX socket, its mode lets others in, or its mode cannot be seen (chroot). The folders above it are not looked at.
bool is_open_to_everybody(int fd);

}  // namespace culver
