// The line that describes one inherited listener, in CULVER_LISTENERS and on the control socket:
// fd TAB kind TAB name TAB port TAB ssl; kind is unix, fifo or inet; name is tab-escaped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib-config/settings.h"

namespace culver {

struct ListenerLine {
    int fd = -1;
    ListenerKind kind = ListenerKind::Unix;
    std::string name;
    std::uint16_t port = 0;
    bool ssl = false;

    std::string to_line() const;  // without a line end
    static std::optional<ListenerLine> parse(std::string_view line);
};

}  // namespace culver
