// Names of older versions that Dovecot 2.3 still reads: each is warned of and becomes what replaced it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib-base/text.h"
#include "lib-config/parser.h"

namespace culver::config {

namespace {

// Old name -> the same setting of services; "login" stands for imap-login and pop3-login, "mail" for imap and pop3.
struct Moved {
    std::string_view name, services, setting;
};
constexpr std::array<Moved, 16> kMoved = {{
    {"login_max_processes_count", "login", "process_limit"},
    {"login_max_connections", "login", "client_limit"},
    {"login_process_size", "login", "vsz_limit"},
    {"login_user", "login", "user"},
    {"login_executable", "login", "executable"},
    {"login_processes_count", "login", "process_min_avail"},
    {"login_process_per_connection", "login", "service_count"},
    {"login_chroot", "login", "chroot"},
    {"max_mail_processes", "mail", "process_limit"},
    {"mail_process_size", "mail", "vsz_limit"},
    {"mail_executable", "mail", "executable"},
    {"mail_drop_priv_before_exec", "mail", "drop_priv_before_exec"},
    {"auth_process_size", "auth", "vsz_limit"},
    {"auth_executable", "auth", "executable"},
    {"auth_user", "auth", "user"},
    {"auth_chroot", "auth", "chroot"},
}};

struct Renamed {
    std::string_view name, now;
};
constexpr std::array<Renamed, 3> kRenamed = {{{"dbox_rotate_size", "mdbox_rotate_size"},
                                              {"dbox_rotate_interval", "mdbox_rotate_interval"},
                                              {"doveadm_proxy_port", "doveadm_port"}}};
constexpr std::array<std::string_view, 2> kRemoved = {"login_dir", "mail_log_max_lines_per_sec"};
constexpr std::array<std::string_view, 2> kNotNeeded = {"ssl_dh_parameters_length", "ssl_parameters_regenerate"};
constexpr std::array<std::string_view, 3> kFiles = {"ssl_ca_file", "ssl_cert_file", "ssl_key_file"};

Line with(const Line& old, std::string key, std::string value) {
    Line line = old;
    line.key = std::move(key);
    line.value = std::move(value);
    return line;
}

// "!SSLv3 !TLSv1" or "TLSv1.2": the oldest version left; empty if there is none.
std::string oldest_protocol(std::string_view list) {
    static constexpr std::array<std::string_view, 6> kVersions = {"SSLv2",   "SSLv3",   "TLSv1",
                                                                  "TLSv1.1", "TLSv1.2", "TLSv1.3"};
    std::array<bool, 6> named{}, excluded{};
    bool any_named = false;
    for (auto word : split_words(list)) {
        bool without = word.starts_with('!');
        auto found = std::ranges::find(kVersions, without ? word.substr(1) : word);
        if (found == kVersions.end()) return {};
        (without ? excluded : named)[static_cast<std::size_t>(found - kVersions.begin())] = true;
        any_named = any_named || !without;
    }
    // SSL itself is gone from every library.
    for (std::size_t i = 2; i < kVersions.size(); ++i)
        if (!excluded[i] && (named[i] || !any_named)) return std::string(kVersions[i]);
    return {};
}

std::string moved_value(const Moved& rule, std::string_view value) {
    if (rule.setting == "vsz_limit" && parse_uint64(value)) return std::string(value) + " M";
    if (rule.setting == "service_count") return equals_ignore_case(value, "no") ? "0" : "1";
    if (rule.setting == "chroot" && rule.services == "login") return equals_ignore_case(value, "no") ? "" : "login";
    return std::string(value);
}

}  // namespace

void Parser::assign_moved(const Line& line, std::string_view services, std::string_view setting,
                          const std::string& value) {
    // Inside protocol X {} only the service of X is meant.
    const std::string& protocol = frames_.back().scope->condition.protocol;
    Frame outside{&config_.scopes[0]->root, config_.scopes[0].get(), here(), {}};
    frames_.push_back(outside);
    for (std::string_view each : {"imap", "pop3"}) {
        if (!protocol.empty() && protocol != each && services != "auth") continue;
        std::string service = services == "auth" ? "auth" : std::string(each) + (services == "login" ? "-login" : "");
        assign(with(line, fmt::format("service/{}/{}", service, setting), value));
        if (services == "auth") break;
    }
    frames_.pop_back();
}

// listen = *:143 and ssl_listen = *:993 of Dovecot 1.x.
bool Parser::handle_obsolete_listen(const Line& line) {
    bool ssl = line.key == "ssl_listen";
    bool in_protocol = !frames_.back().scope->condition.protocol.empty();
    auto colon = line.value.rfind(':');
    auto port =
        colon == std::string::npos ? std::nullopt : parse_uint32(std::string_view(line.value).substr(colon + 1));
    bool has_port = port && (line.value.find(':') == colon || (colon > 0 && line.value[colon - 1] == ']'));
    if (!ssl && !in_protocol && !has_port) return false;
    std::string address = has_port ? line.value.substr(0, colon) : line.value;
    if (has_port)
        obsolete(fmt::format("{}=..:port has been replaced by service {{ inet_listener {{ port }} }}", line.key));
    if (ssl || in_protocol)
        obsolete(
            fmt::format("protocol {{ {} }} has been replaced by service {{ inet_listener {{ address }} }}", line.key));
    const std::string& protocol = frames_.back().scope->condition.protocol;
    frames_.push_back({&config_.scopes[0]->root, config_.scopes[0].get(), here(), {}});
    for (std::string each : {"imap", "pop3"}) {
        if (in_protocol && protocol != each) continue;
        std::string path = fmt::format("service/{0}-login/inet_listener/{0}{1}/", each, ssl ? "s" : "");
        if (has_port) assign(with(line, path + "port", fmt::format("{}", *port)));
        if (ssl || in_protocol) assign(with(line, path + "address", address));
    }
    frames_.pop_back();
    if (!ssl && !in_protocol) assign(with(line, "listen", address));
    return true;
}

// Words of `protocols` that are no protocols any more.
bool Parser::handle_obsolete_protocols(const Line& line) {
    std::vector<std::string> kept;
    bool changed = false;
    const auto words = split_words(line.value);
    for (auto word : words) {
        if (word == "imaps") {
            obsolete("'imaps' protocol is no longer necessary, remove it");
            changed = true;
        } else if (word == "pop3s") {
            obsolete(
                "'pop3s' protocol can no longer be specified (use protocols=pop3). to disable non-ssl pop3, use "
                "service "
                "pop3-login { inet_listener pop3 { port=0 } }");
            changed = true;
            if (std::ranges::find(words, "pop3") == words.end()) kept.emplace_back("pop3");
        } else if (word == "managesieve") {
            obsolete("protocols=managesieve has been renamed to protocols=sieve");
            kept.emplace_back("sieve");
            changed = true;
        } else {
            kept.emplace_back(word);
        }
    }
    if (changed) assign(with(line, "protocols", join(kept, " ")));
    return changed;
}

bool Parser::handle_obsolete_workarounds(const Line& line) {
    std::vector<std::string> kept;
    bool changed = false;
    for (auto word : split_words(line.value)) {
        if (word == "outlook-idle" || word == "netscape-eoh") {
            obsolete(fmt::format("{}={} is no longer necessary", line.key, word));
            changed = true;
        } else {
            kept.emplace_back(word);
        }
    }
    if (changed) assign(with(line, line.key, join(kept, " ")));
    return changed;
}

bool Parser::handle_obsolete(const Line& line) {
    const Frame& frame = frames_.back();
    if (frame.block->kind != BlockKind::Root) return false;
    std::string_view name = line.key;
    if (line.kind == LineKind::Open) return handle_obsolete_block(line);
    if (frame.filter == kAuthBlock && !name.starts_with("auth_") && find_setting(BlockKind::Root, "auth_" + line.key)) {
        assign(with(line, "auth_" + line.key, line.value));
        return true;
    }
    if (frame.filter == kAuthBlock && name == "user") {
        assign(with(line, "auth_user", line.value));
        return true;
    }
    for (const auto& rule : kMoved) {
        if (rule.name != name) continue;
        std::string_view service = rule.services == "auth" ? "service auth" : "service";
        obsolete(fmt::format("{} has been replaced by {} {{ {} }}", name, service, rule.setting));
        assign_moved(line, rule.services, rule.setting, moved_value(rule, line.value));
        return true;
    }
    auto replace = [&](std::string text, std::string key, std::string value) {
        obsolete(std::move(text));
        assign(with(line, std::move(key), std::move(value)));
        return true;
    };
    for (const auto& rule : kRenamed)
        if (rule.name == name)
            return replace(fmt::format("{} has been renamed to {}", name, rule.now), std::string(rule.now), line.value);
    if (std::ranges::find(kRemoved, name) != kRemoved.end()) {
        obsolete(fmt::format("{} has been removed", name));
        return true;
    }
    if (std::ranges::find(kNotNeeded, name) != kNotNeeded.end()) {
        obsolete(fmt::format("{} is no longer needed", name));
        return true;
    }
    if (std::ranges::find(kFiles, name) != kFiles.end()) {
        std::string now(name.substr(0, name.size() - 5));
        return replace(fmt::format("{} has been replaced by {} = <file", name, now), now, "<" + line.value);
    }
    if (name == "ssl_disable")
        return replace("ssl_disable has been renamed to ssl", "ssl",
                       equals_ignore_case(line.value, "yes") ? "no" : "yes");
    if (name == "fsync_disable")
        return replace("fsync_disable has been renamed to mail_fsync", "mail_fsync",
                       equals_ignore_case(line.value, "yes") ? "never" : "optimized");
    if (name == "sieve" || name == "sieve_dir" || name == "sieve_storage")
        return replace(name == "sieve_storage" ? "sieve_storage has been moved into plugin { sieve_dir }"
                                               : fmt::format("{} has been moved into plugin {{}} section", name),
                       fmt::format("plugin/{}", name), line.value);
    if (name == "ssl_protocols") {
        auto oldest = oldest_protocol(line.value);
        if (!oldest.empty())
            return replace("ssl_protocols has been replaced by ssl_min_protocol", "ssl_min_protocol", oldest);
        obsolete("ssl_protocols has been replaced by ssl_min_protocol");
        error(fmt::format("Could not find a minimum ssl_min_protocol setting from ssl_protocols = {}", line.value),
              "write ssl_min_protocol = TLSv1.2 in its place");
        return true;
    }
    if (name == "protocols" && line.quoting == Quoting::None) return handle_obsolete_protocols(line);
    if (name == "listen" || name == "ssl_listen") return handle_obsolete_listen(line);
    if (name == "imap_client_workarounds") return handle_obsolete_workarounds(line);
    if (name == "dovecot_config_version" || name == "dovecot_storage_version") {
        error("Unknown setting: " + line.key,
              "this is a configuration of Dovecot 2.4; Culver reads the language of Dovecot 2.3");
        return true;
    }
    return false;
}

bool Parser::handle_obsolete_block(const Line& line) {
    Frame frame = frames_.back();
    if (line.key == "auth") {
        obsolete("add auth_ prefix to all settings inside auth {} and remove the auth {} section completely");
        frames_.push_back({frame.block, frame.scope, here(), kAuthBlock});
        return true;
    }
    if (line.key == "protocol" && line.value == "managesieve") {
        obsolete("protocol managesieve {} has been replaced by protocol sieve { }");
        open_block(with(line, line.key, "sieve"));
        return true;
    }
    if (frame.filter != kAuthBlock) return false;
    if ((line.key == "passdb" || line.key == "userdb") && !line.value.empty()) {
        obsolete(fmt::format("{0} {1} {{}} has been replaced by {0} {{ driver={1} }}", line.key, line.value));
        open_block(with(line, line.key, {}));
        Line driver;
        driver.kind = LineKind::Assignment;
        driver.key = "driver";
        driver.value = line.value;
        assign(driver);
        return true;
    }
    if (line.key == "socket") {
        error("Unknown setting: socket { socket",
              "write service auth { unix_listener /path { mode = 0660 } } outside auth {}");
        frames_.push_back({nullptr, frame.scope, here(), {}});
        return true;
    }
    return false;
}

}  // namespace culver::config
