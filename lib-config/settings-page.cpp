// docs/settings.md, from the tables.
#include <fmt/format.h>

#include "lib-config/print.h"
#include "lib-config/setting-table.h"

namespace culver {

namespace {

std::string_view type_name(SettingType type) {
    switch (type) {
        case SettingType::Text: return "text";
        case SettingType::Flag: return "yes/no";
        case SettingType::Number: return "number";
        case SettingType::Port: return "port";
        case SettingType::Mode: return "mode";
        case SettingType::Size: return "size";
        case SettingType::Time: return "time";
        case SettingType::TimeMs: return "time (ms)";
        case SettingType::Choice: return "choice";
    }
    return "";
}

std::string cell(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

void add_rows(std::span<const SettingSpec> settings, std::string& out) {
    out += "| setting | type | default | meaning |\n|---|---|---|---|\n";
    for (const auto& spec : settings) {
        std::string help = cell(spec.help);
        if (!spec.choices.empty()) {
            std::string words;
            for (char c : spec.choices) words += c == ' ' ? std::string("`, `") : std::string(1, c);
            help += fmt::format(" One of `{}`.", words);
        }
        if (spec.support == Support::Later) help += " *Not acted on yet.*";
        std::string value = spec.default_value.empty() ? "" : fmt::format("`{}`", cell(spec.default_value));
        out += fmt::format("| `{}` | {} | {} | {} |\n", spec.name, type_name(spec.type), value, help);
    }
}

}  // namespace

std::string print_settings_page() {
    std::string out =
        "# Settings\n\n"
        "Every setting of Dovecot 2.3 that a configuration may hold, with its built-in default. This page is printed "
        "from\n"
        "the table that the programs use: `doveconf --settings-page > docs/settings.md`. How values are written is in\n"
        "[config-language.md](config-language.md).\n\n"
        "*Not acted on yet* marks what Culver accepts and does nothing with; `doveconf` and the server warn once when "
        "such\n"
        "a setting is given another value than its default.\n\n"
        "## Outside blocks\n\n";
    add_rows(root_settings(), out);
    for (std::size_t kind = 1; kind < kBlockKinds; ++kind) {
        const auto& block = block_spec(static_cast<BlockKind>(kind));
        if (block.kind == BlockKind::FifoListener) continue;
        std::string_view title = block.kind == BlockKind::UnixListener ? "unix_listener and fifo_listener" : block.name;
        out += fmt::format("\n## In {} blocks\n\n", title);
        if (block.free_keys) out += "Any name; the plug-in or driver that a value is for says what it means.\n";
        else add_rows(block.settings, out);
    }
    out +=
        "\n## Services that exist without being configured\n\n| service | listeners | other than the defaults above "
        "|\n|---|---|---|\n";
    for (const auto& service : service_defaults()) {
        std::string listeners, values;
        for (const auto& listener : service.listeners) {
            if (!listeners.empty()) listeners += ", ";
            listeners += fmt::format("`{}`", listener.name);
            if (!listener.port.empty()) listeners += fmt::format(" {}{}", listener.port, listener.ssl ? " TLS" : "");
            if (!listener.mode.empty()) listeners += fmt::format(" {}", listener.mode);
        }
        for (const auto& [name, value] : service.values) {
            if (!values.empty()) values += ", ";
            values += fmt::format("{} = {}", name, value);
        }
        out += fmt::format("| {} | {} | {} |\n", service.name, listeners, values);
    }
    return out;
}

}  // namespace culver
