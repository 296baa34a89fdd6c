#include "lib-config/print.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "lib-base/text.h"
#include "lib-config/filter-block.h"
#include "lib-config/line.h"
#include "lib-config/setting-table.h"
#include "lib-config/settings-data.h"

namespace culver {

namespace {

using config::Block;
using config::Value;

constexpr std::string_view kHidden = "# hidden, use -P to show it";

// "password=x" inside longer values.
std::string hide_passwords(std::string_view text) {
    std::string out;
    std::size_t i = 0;
    while (i < text.size()) {
        bool hit = false;
        for (std::string_view word : {"password=", "passwd=", "pass="}) {
            if (!text.substr(i).starts_with(word)) continue;
            out += word;
            out += "#hidden_use-P_to_show#";
            i = std::min(text.find_first_of(" \t", i), text.size());
            hit = true;
            break;
        }
        if (!hit) out += text[i++];
    }
    return out;
}

bool is_secret_key(std::string_view key) { return key.ends_with("_password") || key == "password"; }

// One block as lines, sorted as Dovecot sorts them: by path, in which '/' stands behind each name.
class Printer {
public:
    explicit Printer(const PrintOptions& options) : options_(options) {}

    // `defaults`: the same block as built in; null if it is not.
    void print_block(const Block& block, const Block* defaults, const std::string& indent, std::string& out) const {
        std::vector<std::pair<std::string, std::string>> entries;
        collect_values(block, defaults, indent, entries);
        for (const auto& [key, value] : block.free)
            entries.emplace_back(key, indent + key + " = " + shown(value, is_secret_key(key)) + "\n");
        std::size_t position = 0;
        std::array<std::size_t, kBlockKinds> counts{};
        for (const auto& child : block.blocks) {
            position = counts[static_cast<std::size_t>(child->kind)]++;
            if (block.kind == BlockKind::Root && !wants(child->kind)) continue;
            std::string text = block_text(*child, defaults, indent);
            if (!text.empty()) entries.emplace_back(sort_key(*child, position), std::move(text));
        }
        std::ranges::stable_sort(entries, {}, &std::pair<std::string, std::string>::first);
        for (const auto& [key, text] : entries) out += text;
    }

    // The block with its braces; empty if nothing in it is to be shown.
    std::string block_text(const Block& block, const Block* parent_defaults, const std::string& indent) const {
        const Block* defaults = parent_defaults == nullptr || (block.name.empty() && !block_spec(block.kind).free_keys)
                                    ? nullptr
                                    : parent_defaults->find_block(block.kind, block.name);
        if (options_.show == ShowSettings::Defaults && defaults == nullptr) return {};
        std::string inner;
        print_block(block, defaults, indent + "  ", inner);
        if (inner.empty()) return {};
        return fmt::format("{}{} {{\n{}{}}}\n", indent, title(block), inner, indent);
    }

    std::string shown(const Value& value, bool secret) const {
        const std::string& text = options_.expand ? value.text : value.shown();
        if (secret && !options_.show_secrets && !text.empty()) return std::string(kHidden);
        return options_.show_secrets ? config::quote_value(text) : hide_passwords(config::quote_value(text));
    }

    bool wants(const SettingSpec& spec) const;
    bool wants(BlockKind kind) const { return options_.module.empty() || module_uses(options_.module, kind); }
    bool shows_all() const { return options_.show == ShowSettings::All; }

private:
    void collect_values(const Block& block, const Block* defaults, const std::string& indent,
                        std::vector<std::pair<std::string, std::string>>& entries) const {
        const auto& settings = block_spec(block.kind).settings;
        for (std::uint16_t row = 0; row < settings.size(); ++row) {
            const SettingSpec& spec = settings[row];
            if (is_label(block.kind, spec.name) || (block.kind == BlockKind::Root && !wants(spec))) continue;
            const Value* built_in = defaults == nullptr ? nullptr : defaults->find(row);
            const Value* value = options_.show == ShowSettings::Defaults ? built_in : block.find(row);
            bool always = block.kind == BlockKind::Namespace && (spec.name == "location" || spec.name == "prefix");
            if (!always && !is_shown(block, spec, value)) continue;
            std::string text = value != nullptr ? shown(*value, spec.secret) : config::quote_value(spec.default_value);
            entries.emplace_back(std::string(spec.name), fmt::format("{}{} = {}\n", indent, spec.name, text));
        }
    }

    bool is_shown(const Block& block, const SettingSpec& spec, const Value* value) const {
        if (spec.name == "alias_for" && value == nullptr) return false;
        switch (options_.show) {
            case ShowSettings::All: return !in_filter_ || value != nullptr;
            case ShowSettings::Defaults: return true;
            case ShowSettings::Written: return value != nullptr && value->is_set;
            case ShowSettings::Changed:
                if (value == nullptr || !value->is_set) return false;
                if (value->shown().empty() && spec.default_value.empty() && !in_filter_) return false;
                return in_filter_ || block.kind != BlockKind::Root || value->shown() != spec.default_value;
        }
        return false;
    }

    static bool is_label(BlockKind kind, std::string_view name) {
        if (kind == BlockKind::Metric) return name == "metric_name";
        return kind == BlockKind::EventExporter && name == "name";
    }

    static std::string title(const Block& block) {
        std::string name(block_spec(block.kind).name);
        bool unlabelled = block.name.empty() || block.kind == BlockKind::PassDb || block.kind == BlockKind::UserDb;
        if (unlabelled) return name;
        bool quote = block.name.find_first_of(" \t#\"'{}=") != std::string::npos;
        std::string label = block.name;
        if (quote) {
            label = "\"";
            for (char c : block.name) {
                if (c == '"' || c == '\\') label += '\\';
                label += c;
            }
            label += '"';
        }
        return name + " " + label;
    }

    static std::string sort_key(const Block& block, std::size_t position) {
        std::string name(block_spec(block.kind).name);
        if (block_spec(block.kind).free_keys) return name;
        bool by_number = block.name.empty() || block.kind == BlockKind::PassDb || block.kind == BlockKind::UserDb;
        return name + "/" + (by_number ? fmt::format("{:06}", position) : config::path_escape(block.name)) + "/";
    }

    const PrintOptions& options_;

public:
    bool in_filter_ = false;
};

bool Printer::wants(const SettingSpec& spec) const {
    return options_.module.empty() || module_uses(options_.module, spec);
}

// Whether a filter block may still apply when `filter` is known.
bool may_apply(const config::Condition& condition, const SettingFilter& filter) {
    SettingFilter full = filter;
    config::Condition known = condition;
    if (filter.protocol.empty()) known.protocol.clear();
    if (filter.local_name.empty()) known.local_name.clear();
    if (!filter.local) known.local.clear();
    if (!filter.remote) known.remote.clear();
    return known.matches(full);
}

std::string filter_text(const Printer& printer, const config::Scope& scope) {
    std::vector<std::string> heads;
    const auto& condition = scope.condition;
    if (!condition.local_text.empty()) heads.push_back("local " + condition.local_text);
    if (!condition.local_name.empty()) {
        bool several = condition.local_name.find(' ') != std::string::npos;
        heads.push_back(several ? fmt::format("local_name \"{}\"", condition.local_name)
                                : "local_name " + condition.local_name);
    }
    if (!condition.remote_text.empty()) heads.push_back("remote " + condition.remote_text);
    if (!condition.protocol.empty()) heads.push_back("protocol " + condition.protocol);
    std::string inner, out, indent;
    printer.print_block(scope.root, nullptr, std::string(heads.size() * 2, ' '), inner);
    if (inner.empty()) return {};
    for (const auto& head : heads) {
        out += indent + head + " {\n";
        indent += "  ";
    }
    out += inner;
    for (std::size_t i = heads.size(); i > 0; --i) out += std::string((i - 1) * 2, ' ') + "}\n";
    return out;
}

// The keys under which the blocks of one kind stand in paths, blank-separated.
std::string block_keys(const Block& block, BlockKind kind) {
    std::string keys;
    std::size_t position = 0;
    for (const auto& child : block.blocks) {
        if (child->kind != kind || block_spec(kind).free_keys) continue;
        bool by_number = child->name.empty() || kind == BlockKind::PassDb || kind == BlockKind::UserDb;
        if (!keys.empty()) keys += ' ';
        keys += by_number ? fmt::format("{}", position) : config::path_escape(child->name);
        ++position;
    }
    return keys;
}

// The name under which a flat dump shows the label of a block.
std::string_view label_setting(BlockKind kind) {
    switch (kind) {
        case BlockKind::UnixListener:
        case BlockKind::FifoListener: return "path";
        case BlockKind::Metric: return "metric_name";
        case BlockKind::Service:
        case BlockKind::InetListener:
        case BlockKind::Namespace:
        case BlockKind::Mailbox:
        case BlockKind::EventExporter: return "name";
        default: return {};
    }
}

void print_flat(const Printer& printer, const Block& block, const std::string& prefix, std::string& out) {
    std::array<std::size_t, kBlockKinds> counts{};
    const auto& settings = block_spec(block.kind).settings;
    for (std::uint16_t row = 0; row < settings.size(); ++row) {
        const Value* value = block.find(row);
        if (value == nullptr && (settings[row].name == "alias_for" || settings[row].name == label_setting(block.kind)))
            continue;
        bool shows = value != nullptr && (printer.shows_all() || value->is_set);
        if (shows) out += fmt::format("{}{}={}\n", prefix, settings[row].name, value->shown());
        else if (value != nullptr || !printer.shows_all()) continue;
        else if (block.kind != BlockKind::Root || printer.wants(settings[row]))
            out += fmt::format("{}{}={}\n", prefix, settings[row].name, settings[row].default_value);
    }
    for (const auto& [key, value] : block.free) out += fmt::format("{}{}={}\n", prefix, key, value.shown());
    for (BlockKind kind : block_spec(block.kind).children) {
        std::string keys = block_keys(block, kind);
        if (!keys.empty() || block.find_block(kind, {}) != nullptr)
            out += fmt::format("{}{}={}\n", prefix, block_spec(kind).name, keys);
    }
    for (const auto& child : block.blocks) {
        auto name = block_spec(child->kind).name;
        auto position = counts[static_cast<std::size_t>(child->kind)]++;
        bool by_number = child->name.empty() || child->kind == BlockKind::PassDb || child->kind == BlockKind::UserDb;
        std::string key = block_spec(child->kind).free_keys
                              ? std::string(name)
                              : fmt::format("{}/{}", name,
                                            by_number ? fmt::format("{}", position) : config::path_escape(child->name));
        if (auto label = label_setting(child->kind); !label.empty() && !child->name.empty())
            out += fmt::format("{}{}/{}={}\n", prefix, key, label, child->name);
        print_flat(printer, *child, prefix + key + "/", out);
    }
}

// Walks "service/imap/process_limit" down to its block; `rest` is what is left of the path.
const Block* walk_path(const Block& root, std::string_view path, std::string_view& rest) {
    const Block* block = &root;
    rest = path;
    for (;;) {
        auto slash = rest.find('/');
        auto kind = find_child_block(block->kind, rest.substr(0, slash));
        if (!kind) return block;
        std::string label;
        std::string_view behind = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
        if (!block_spec(*kind).free_keys) {
            if (behind.empty()) return block;
            auto end = behind.find('/');
            label = config::path_unescape(behind.substr(0, end));
            behind = end == std::string_view::npos ? std::string_view() : behind.substr(end + 1);
        }
        const Block* child = block->find_block(*kind, label);
        if (child == nullptr) {
            auto number = parse_uint32(label);
            std::uint32_t position = 0;
            for (const auto& each : block->blocks)
                if (each->kind == *kind && number && position++ == *number) child = each.get();
        }
        if (child == nullptr) return nullptr;
        block = child;
        rest = behind;
        if (rest.empty()) return block;
    }
}

std::string print_name(const Printer& printer, const PrintOptions& options, const Block& root, const Block& defaults,
                       const std::string& path) {
    std::string out;
    std::string_view rest;
    if (find_child_block(BlockKind::Root, path) && path.find('/') == std::string::npos) {
        for (const auto& child : root.blocks)
            if (block_spec(child->kind).name == path) out += printer.block_text(*child, &defaults, "");
        return out;
    }
    const Block* block = walk_path(root, path, rest);
    if (block == nullptr) return out;
    if (rest.empty()) return printer.block_text(*block, &defaults, "");
    const Value* value = block->find_free(rest);
    std::string text;
    if (auto row = find_setting(block->kind, rest)) {
        value = block->find(*row);
        if (value == nullptr) text = block_spec(block->kind).settings[*row].default_value;
    } else if (value == nullptr) {
        return out;
    }
    // A name asked for is shown as it is, secrets too.
    if (value != nullptr) text = options.expand ? value->text : value->shown();
    return options.values_only ? text + "\n" : fmt::format("{} = {}\n", path, config::quote_value(text));
}

std::string system_name() {
    utsname name{};
    uname(&name);
    std::string out = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
    std::ifstream debian("/etc/debian_version");
    std::string version;
    if (debian && std::getline(debian, version)) out += " Debian " + version;
    return out;
}

}  // namespace

std::string print_header(const std::string& config_path, ShowSettings show) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    // The version stands where Dovecot's own does, for programs that look for it.
    return fmt::format("# 2.3.19.1 (Culver {}): {}\n# OS: {} \n# Hostname: {}\n{}", CULVER_VERSION, config_path,
                       system_name(), host,
                       show == ShowSettings::All || show == ShowSettings::Defaults
                           ? "# NOTE: Send doveconf -n output instead when asking for help.\n"
                           : "");
}

std::string print_settings(const Settings& settings, const PrintOptions& options) {
    const config::Config& config = *settings.data().config;
    auto scopes = matching_scopes(config, options.filter);
    auto root = merge_scopes(config, scopes);
    auto built_in = config::make_default_config();
    const Block& defaults = built_in->scopes[0]->root;
    Printer printer(options);
    std::string out;
    if (!options.names.empty()) {
        // Blocks come first, as Dovecot prints them.
        for (bool blocks : {true, false})
            for (const auto& name : options.names) {
                std::string text = print_name(printer, options, *root, defaults, name);
                if (text.ends_with("}\n") == blocks) out += text;
            }
        return out;
    }
    if (options.flat) {
        print_flat(printer, *root, {}, out);
        return out;
    }
    printer.print_block(*root, &defaults, {}, out);
    if (options.show == ShowSettings::Defaults) return out;
    printer.in_filter_ = true;
    std::vector<const config::Scope*> filters;
    for (std::size_t i = 1; i < config.scopes.size(); ++i)
        if (may_apply(config.scopes[i]->condition, options.filter)) filters.push_back(config.scopes[i].get());
    std::ranges::stable_sort(filters, [](const config::Scope* a, const config::Scope* b) {
        return a->condition.is_less_specific(b->condition);
    });
    for (const auto* scope : filters) out += filter_text(printer, *scope);
    if (options.values_only) {
        std::string values;
        for (auto line : split(out, '\n'))
            if (auto equals = line.find(" = "); equals != std::string_view::npos)
                values.append(line.substr(equals + 3)) += '\n';
        return values;
    }
    return out;
}

}  // namespace culver
