#include "master/wanted-listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "lib-base/text.h"
#include "lib-service/privileges.h"

namespace culver {
namespace {

// Dovecot's own business between its processes; nothing of Culver's answers there.
constexpr std::string_view kForeignListeners[] = {"token-login/tokenlogin", "imap-master"};

// For `doveadm who` and `doveadm kick`; no configuration names them.
constexpr std::string_view kAdminListeners[] = {"imap-sessions", "imap-kick"};

// One word of `listen` or `address`: an address, "*", "[::1]", or a host name with all its addresses.
std::vector<IpAddress> resolve(std::string word, std::string& problem) {
    if (word == "*") word = "0.0.0.0";
    if (word.size() > 2 && word.front() == '[' && word.back() == ']') word = word.substr(1, word.size() - 2);
    if (auto address = IpAddress::parse(word)) return {*address};
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int rc = ::getaddrinfo(word.c_str(), nullptr, &hints, &found);
    if (rc != 0) {
        problem = fmt::format("gethostbyname({}) failed: {}", word, ::gai_strerror(rc));
        return {};
    }
    std::vector<IpAddress> addresses;
    for (addrinfo* each = found; each; each = each->ai_next) {
        auto address = IpAddress::from_sockaddr(each->ai_addr);
        if (address && std::find(addresses.begin(), addresses.end(), *address) == addresses.end())
            addresses.push_back(*address);
    }
    ::freeaddrinfo(found);
    return addresses;
}

class Collector {
public:
    Collector(const Settings& settings, const ServiceSettings& service, std::vector<std::string>& problems)
        : settings_(settings), service_(service), problems_(problems) {}

    void add(const ListenerSettings& listener) {
        if (listener.kind == ListenerKind::Inet) add_inet(listener);
        else add_file(listener);
    }

    std::vector<WantedListener> result;

private:
    void problem(const ListenerSettings& listener, const std::string& text) {
        problems_.push_back(fmt::format("{}: service({}) {}: {}", listener.origin.to_string(), service_.name,
                                        listener.name.empty() ? "listener" : listener.name, text));
    }

    void add_inet(const ListenerSettings& listener) {
        if (listener.port == 0 || (listener.ssl && settings_.string("ssl") == "no")) return;
        const bool own_address = !listener.address.empty();
        std::string words = own_address ? listener.address : settings_.string("listen");
        std::replace(words.begin(), words.end(), ',', ' ');
        for (std::string_view word : split_words(words)) {
            std::string text;
            for (const IpAddress& address : resolve(std::string(word), text)) {
                WantedListener wanted;
                wanted.kind = ListenerKind::Inet;
                wanted.name = listener.name;
                wanted.address = address;
                wanted.port = listener.port;
                wanted.ssl = listener.ssl;
                wanted.reuse_port = listener.reuse_port;
                wanted.optional = !own_address && !settings_.is_set("listen") && address.is_ipv6();
                wanted.origin = listener.origin;
                result.push_back(std::move(wanted));
            }
            if (!text.empty()) problem(listener, text);
        }
    }

    void add_file(const ListenerSettings& listener) {
        if (listener.mode == 0 || std::ranges::find(kForeignListeners, listener.name) != std::end(kForeignListeners))
            return;
        WantedListener wanted;
        wanted.kind = listener.kind;
        wanted.name = listener.name;
        wanted.path =
            listener.name.starts_with('/') ? listener.name : settings_.string("base_dir") + "/" + listener.name;
        wanted.owner.mode = listener.mode & 0777;
        wanted.origin = listener.origin;
        if (::geteuid() == 0) {
            if (!listener.user.empty()) {
                auto user = find_user(listener.user);
                if (!user) return problem(listener, user.error().detail);
                wanted.owner.uid = user->uid;
            }
            if (!listener.group.empty()) {
                auto group = find_group(listener.group);
                if (!group) return problem(listener, group.error().detail);
                wanted.owner.gid = *group;
            }
        }
        result.push_back(std::move(wanted));
    }

    const Settings& settings_;
    const ServiceSettings& service_;
    std::vector<std::string>& problems_;
};

}  // namespace

std::string WantedListener::key() const {
    if (kind != ListenerKind::Inet) return path;
    return fmt::format("{} {}", address->to_string(), port);
}

std::string WantedListener::describe() const {
    if (kind != ListenerKind::Inet) return path;
    const std::string text = address->to_string();
    return fmt::format("listen({}, {})", text == "0.0.0.0" ? "*" : text, port);
}

ListenerLine WantedListener::line(int fd) const { return {fd, kind, name, port, ssl}; }

bool WantedListener::has_same_owner(const WantedListener& other) const {
    return owner.mode == other.owner.mode && owner.uid == other.owner.uid && owner.gid == other.owner.gid;
}

FileIdentity FileIdentity::of(const std::string& path) {
    struct stat st;
    if (::lstat(path.c_str(), &st) != 0) return {};
    return {st.st_dev, st.st_ino};
}

std::vector<WantedListener> wanted_listeners(const Settings& settings, const ServiceSettings& service,
                                             std::vector<std::string>& problems) {
    Collector collector(settings, service, problems);
    for (const ListenerSettings& listener : service.listeners) collector.add(listener);
    for (std::string_view name : kAdminListeners) {
        const bool is_named = std::ranges::any_of(service.listeners, [&](const auto& l) { return l.name == name; });
        if (service.name != "imap" || is_named) continue;
        ListenerSettings own;
        own.name = name;
        collector.add(own);
    }
    return std::move(collector.result);
}

Result<UniqueFd> open_listener(const WantedListener& wanted) {
    switch (wanted.kind) {
        case ListenerKind::Inet:
            return listen_inet(*wanted.address, wanted.port, wanted.reuse_port ? SharePort::Yes : SharePort::No);
        case ListenerKind::Unix: return listen_unix(wanted.path, wanted.owner);
        case ListenerKind::Fifo: return open_fifo(wanted.path, wanted.owner);
    }
    return fail(ErrorCode::Internal, "a listener of an unknown kind");
}

}  // namespace culver
