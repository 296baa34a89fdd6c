#include "lib-config/load.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib-config/checks.h"
#include "lib-config/parser.h"
#include "lib-config/settings-data.h"

namespace culver {

LoadedSettings load_settings(const LoadOptions& options) {
    LoadedSettings loaded;
    auto made = config::make_default_config();
    made->path = options.path;
    config::Parser parser(*made, loaded.diagnostics, options.expand_files);
    if (parser.parse_file(options.path))
        for (const auto& [name, value] : options.overrides) parser.parse_override(name, value);
    config::cross_check(*made, loaded.diagnostics);
    if (std::ranges::any_of(loaded.diagnostics,
                            [](const Diagnostic& each) { return each.severity == Severity::Error; }))
        return loaded;
    loaded.settings = config::make_settings(std::move(made));
    return loaded;
}

std::string format_diagnostic(const Diagnostic& diagnostic) {
    const auto& where = diagnostic.where;
    if (where.file.empty() || diagnostic.text_has_place) return diagnostic.text;
    std::string_view what =
        diagnostic.severity == Severity::Error ? "Error in configuration file" : "Configuration file";
    if (where.line == 0) return fmt::format("{} {}: {}", what, where.file, diagnostic.text);
    return fmt::format("{} {} line {}: {}", what, where.file, where.line, diagnostic.text);
}

std::string format_diagnostics(const std::vector<Diagnostic>& diagnostics, const std::string& program,
                               const std::string& error_level) {
    std::string out;
    for (const auto& diagnostic : diagnostics) {
        out += fmt::format("{}: {}: {}\n", program,
                           diagnostic.severity == Severity::Error ? error_level : std::string("Warning"),
                           format_diagnostic(diagnostic));
        if (!diagnostic.hint.empty()) out += fmt::format("    {}\n", diagnostic.hint);
    }
    return out;
}

}  // namespace culver
