#include "lib-service/listener-line.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {
namespace {

std::string_view kind_name(ListenerKind kind) {
    switch (kind) {
        case ListenerKind::Unix: return "unix";
        case ListenerKind::Fifo: return "fifo";
        case ListenerKind::Inet: return "inet";
    }
    return "unix";
}

std::optional<ListenerKind> parse_kind(std::string_view name) {
    for (ListenerKind kind : {ListenerKind::Unix, ListenerKind::Fifo, ListenerKind::Inet})
        if (kind_name(kind) == name) return kind;
    return std::nullopt;
}

}  // namespace

std::string ListenerLine::to_line() const {
    return fmt::format("{}\t{}\t{}\t{}\t{}", fd, kind_name(kind), tab_escape(name), port, ssl ? "yes" : "no");
}

std::optional<ListenerLine> ListenerLine::parse(std::string_view line) {
    const auto fields = split(line, '\t');
    if (fields.size() != 5) return std::nullopt;
    const auto fd = parse_uint32(fields[0]);
    const auto kind = parse_kind(fields[1]);
    const auto port = parse_uint32(fields[3]);
    if (!fd || !kind || !port || *port > 65535 || *fd > 0x7fffffff) return std::nullopt;
    return ListenerLine{static_cast<int>(*fd), *kind, tab_unescape(fields[2]), static_cast<std::uint16_t>(*port),
                        fields[4] == "yes"};
}

}  // namespace culver
