// systemd's notification socket (sd_notify(3)).
#pragma once

#include <string_view>

namespace culver {

// Sends e.g. "READY=1" to NOTIFY_SOCKET; nothing happens when the variable is not set.
void notify_service_manager(std::string_view state);

}  // namespace culver
