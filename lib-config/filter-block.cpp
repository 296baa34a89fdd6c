#include "lib-config/filter-block.h"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <array>

#include "lib-base/text.h"

namespace culver::config {

namespace {

// From the outside in; a filter may stand in any that comes before it.
constexpr std::array<std::string_view, 4> kFilters = {"local", "local_name", "remote", "protocol"};

std::size_t depth(std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(kFilters, name) - kFilters.begin());
}

// Networks as written, or the addresses of a host name.
std::expected<std::vector<IpNetwork>, ValueError> parse_addresses(std::string_view label) {
    if (auto network = IpNetwork::parse(label)) return std::vector<IpNetwork>{*network};
    if (auto slash = label.find('/'); slash != std::string_view::npos && IpAddress::parse(label.substr(0, slash)))
        return std::unexpected(ValueError{fmt::format("Invalid network mask: {}", label.substr(slash + 1)),
                                          "write the number of leading bits that count, as in 192.0.2.0/24"});
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    std::string host(label);
    if (int failed = getaddrinfo(host.c_str(), nullptr, &hints, &found); failed != 0) {
        return std::unexpected(
            ValueError{fmt::format("gethostbyname({}) failed: {}", host, gai_strerror(failed)),
                       "write an address, a network such as 192.0.2.0/24, or a host name that resolves"});
    }
    std::vector<IpNetwork> networks;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next)
        if (auto address = IpAddress::from_sockaddr(each->ai_addr))
            networks.push_back({*address, address->is_ipv6() ? 128U : 32U});
    freeaddrinfo(found);
    return networks;
}

// Addresses in one form, so that "127.0.0.1/32" is "127.0.0.1".
std::string address_text(const std::string& label) {
    auto network = IpNetwork::parse(label);
    if (!network) return label;
    unsigned whole = network->address.is_ipv6() ? 128 : 32;
    std::string text = network->address.to_string();
    return network->prefix_length == whole ? text : fmt::format("{}/{}", text, network->prefix_length);
}

bool is_inside(const std::vector<IpNetwork>& inner, const std::vector<IpNetwork>& outer) {
    return std::ranges::all_of(inner, [&](const IpNetwork& network) {
        return std::ranges::any_of(outer, [&](const IpNetwork& around) {
            return around.prefix_length <= network.prefix_length && around.contains(network.address);
        });
    });
}

}  // namespace

std::string_view filter_name(std::string_view block_name) {
    auto found = std::ranges::find(kFilters, block_name);
    return found == kFilters.end() ? std::string_view() : *found;
}

bool is_filter_name(std::string_view block_name) { return !filter_name(block_name).empty(); }

std::expected<Condition, ValueError> make_condition(const Condition& outer, std::string_view outer_name,
                                                    std::string_view name, const std::string& label) {
    Condition made = outer;
    if (name == "protocol" && outer_name == "protocol")
        return std::unexpected(
            ValueError{"Nested protocol { protocol { .. } } block not allowed", "close the outer block first"});
    if (!outer_name.empty() && depth(name) < depth(outer_name)) {
        return std::unexpected(ValueError{
            fmt::format("{0} {{ {1} {{ .. }} }} not allowed (use {1} {{ {0} {{ .. }} }} instead)", outer_name, name),
            "turn the two blocks inside out"});
    }
    if (name == "protocol") {
        made.protocol = label;
    } else if (name == "local_name") {
        made.local_name = label;
    } else {
        auto networks = parse_addresses(label);
        if (!networks) return std::unexpected(networks.error());
        if (name == outer_name && !is_inside(*networks, name == "local" ? outer.local : outer.remote))
            return std::unexpected(
                ValueError{fmt::format("{0} net1 {{ {0} net2 {{ .. }} }} requires net2 to be inside net1", name),
                           "close the outer block first"});
        (name == "local" ? made.local : made.remote) = std::move(*networks);
        (name == "local" ? made.local_text : made.remote_text) = address_text(label);
    }
    return made;
}

std::string path_escape(std::string_view label) {
    std::string out;
    for (char c : label) {
        if (c == '/') out += "\\s";
        else if (c == ' ') out += "\\_";
        else if (c == '\\') out += "\\\\";
        else out += c;
    }
    return out;
}

std::string path_unescape(std::string_view part) {
    std::string out;
    for (std::size_t i = 0; i < part.size(); ++i) {
        if (part[i] != '\\' || i + 1 == part.size()) {
            out += part[i];
            continue;
        }
        char c = part[++i];
        out += c == 's' ? '/' : c == '_' ? ' ' : c;
    }
    return out;
}

}  // namespace culver::config
