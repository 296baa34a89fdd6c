#include "lib-config/parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib-base/text.h"
#include "lib-config/filter-block.h"
#include "lib-config/value.h"

namespace culver::config {

namespace {
// A configuration with more problems than this is not a configuration.
constexpr std::size_t kDiagnosticLimit = 1000;
constexpr std::size_t kFrameLimit = 32;
}  // namespace

Parser::Parser(Config& config, std::vector<Diagnostic>& diagnostics, bool expand_files)
    : config_(config), diagnostics_(diagnostics), expand_files_(expand_files) {
    frames_.push_back({&config_.scopes[0]->root, config_.scopes[0].get(), {}, {}});
}

Place Parser::here() const {
    if (sources_.empty()) return {};
    return {sources_.back()->file, sources_.back()->reader.line_number()};
}

void Parser::error(std::string text, std::string hint) {
    if (diagnostics_.size() >= kDiagnosticLimit) return;
    if (!override_.empty()) text = fmt::format("Invalid -o parameter {}: {}", override_, text);
    diagnostics_.push_back({Severity::Error, config_.origin(here()), std::move(text), std::move(hint)});
}

void Parser::warning(std::string text, std::string hint, bool text_has_place) {
    if (diagnostics_.size() >= kDiagnosticLimit) return;
    diagnostics_.push_back(
        {Severity::Warning, config_.origin(here()), std::move(text), std::move(hint), text_has_place});
}

void Parser::obsolete(std::string text) {
    if (!told_about_obsolete_)
        warning("NOTE: You can get a new clean config file with: doveconf -Pn > dovecot-new.conf", {}, true);
    told_about_obsolete_ = true;
    auto where = config_.origin(here());
    warning(fmt::format("Obsolete setting in {}:{}: {}", where.file, where.line, text), {}, true);
}

void Parser::run() {
    std::string text;
    bool ambiguous = false;
    while (!sources_.empty()) {
        if (!sources_.back()->reader.next(text, ambiguous)) {
            sources_.pop_back();
            continue;
        }
        if (ambiguous) {
            auto where = config_.origin(here());
            warning(
                fmt::format("Configuration file {} line {}: Ambiguous '#' character in line, treating it as comment. "
                            "Add a space before it to remove this warning.",
                            where.file, where.line),
                "put the value in double quotes if the '#' belongs to it", true);
        }
        if (text.find('\0') != std::string::npos)
            error("The line holds a NUL byte", "save the file as plain text (UTF-8)");
        else handle(parse_line(text));
    }
    // Inner blocks first, so that the text names the one that Dovecot names.
    while (frames_.size() > 1) {
        auto where = config_.origin(frames_.back().place);
        diagnostics_.push_back({Severity::Error,
                                {where.file, 0},
                                fmt::format("Missing '}}' (section started at {})", where.to_string()),
                                "close each \"name {\" with a line that holds only }"});
        frames_.pop_back();
    }
}

void Parser::handle(const Line& line) {
    switch (line.kind) {
        case LineKind::Empty: return;
        case LineKind::Bad: return error(line.error, line.hint);
        case LineKind::Close: return close_block();
        case LineKind::Include:
        case LineKind::IncludeTry: return include(line);
        case LineKind::Open: return open_block(line);
        case LineKind::Assignment: return assign(line);
    }
}

void Parser::parse_override(std::string_view name, std::string_view value) {
    override_ = fmt::format("{}={}", name, value);
    Line line;
    line.kind = LineKind::Assignment;
    line.key = name;
    line.value = value;
    assign(line);
    override_.clear();
}

std::string Parser::block_path(std::string_view last) const {
    std::string path;
    for (const auto& frame : frames_)
        if (frame.block != nullptr && frame.block->kind != BlockKind::Root)
            path += fmt::format("{} {{ ", block_spec(frame.block->kind).name);
    return path.append(last);
}

void Parser::assign(const Line& line) {
    Block* block = frames_.back().block;
    if (block == nullptr || handle_obsolete(line)) return;
    if (block_spec(block->kind).free_keys) return store_free(*block, line.key, line);
    if (auto row = find_setting(block->kind, line.key)) return store(*block, *row, line);
    if (block->kind == BlockKind::Root && line.key.find('/') != std::string::npos) return assign_path(line);
    auto near = nearest_setting(block->kind, line.key);
    error("Unknown setting: " + block_path(line.key),
          near.empty() ? "remove it; doveconf -a lists every setting" : fmt::format("did you mean \"{}\"?", near));
}

void Parser::assign_path(const Line& line) {
    Block* block = frames_.back().block;
    auto parts = split(line.key, '/');
    std::size_t i = 0;
    while (block != nullptr && i + 1 < parts.size()) {
        auto kind = find_child_block(block->kind, parts[i]);
        if (!kind) break;
        if (block_spec(*kind).free_keys && i + 2 == parts.size())
            return store_free(*enter_block(*block, *kind, {}), std::string(parts[i + 1]), line);
        if (i + 2 >= parts.size()) break;
        std::string label = path_unescape(parts[i + 1]);
        Block* child = block->find_block(*kind, label);
        // In a filter the block need not stand there yet, if it does outside.
        if (child == nullptr && frames_.back().scope != config_.scopes[0].get() &&
            config_.scopes[0]->root.find_block(*kind, label) != nullptr)
            child = &block->add_block(*kind, label, here());
        if (child == nullptr) break;
        block = child;
        i += 2;
    }
    if (block != frames_.back().block && i + 1 == parts.size())
        if (auto row = find_setting(block->kind, parts[i])) return store(*block, *row, line);
    error("Unknown setting: " + line.key,
          "a path names a block that stands above it in the file: service/imap/process_limit, plugin/quota");
}

void Parser::store(Block& block, std::uint16_t row, const Line& line) {
    const SettingSpec& spec = block_spec(block.kind).settings[row];
    Value value;
    if (!resolve_written(line, line.key, value)) return;
    bool unread = value.text.empty() && value.written.starts_with('<');  // the file's content is not known here
    auto typed = parse_value(spec, unread ? std::string(spec.default_value) : value.text);
    if (unread && spec.type == SettingType::Text) typed = TypedValue{};
    if (!typed) {
        error(typed.error().text, fmt::format("{}: {}", spec.name, typed.error().hint));
        return;
    }
    value.text = std::move(typed->text);
    value.number = typed->number;
    value.place = here();
    value.is_set = true;
    if (spec.type == SettingType::Mode && !line.value.empty() && line.value[0] != '0' &&
        line.value.find_first_not_of("01234567") == std::string::npos)
        warning(fmt::format("{} = {} is a decimal number, which makes the mode {}", line.key, line.value, value.text),
                fmt::format("write {} = 0{}", line.key, line.value));
    if (block.kind == BlockKind::Root && frames_.back().scope == config_.scopes[0].get())
        warn_about_filters(row, spec.name);
    warn_unsupported(block, spec, value);
    block.set(row) = std::move(value);
}

void Parser::store_free(Block& block, const std::string& key, const Line& line) {
    if (key.find('/') != std::string::npos) {
        bool inside = frames_.back().block == &block;
        error("Unknown setting: " + (inside ? block_path(key) : line.key), "write the key without '/'");
        return;
    }
    Value value;
    if (!resolve_written(line, key, value)) return;
    value.place = here();
    value.is_set = true;
    block.set_free(key) = std::move(value);
}

void Parser::warn_about_filters(std::uint16_t row, std::string_view name) {
    for (std::size_t i = 1; i < config_.scopes.size(); ++i) {
        const Value* inside = config_.scopes[i]->root.find(row);
        if (inside == nullptr) continue;
        auto now = config_.origin(here()), then = config_.origin(inside->place);
        warning(fmt::format(
                    "{0} line {1}: Global setting {2} won't change the setting inside an earlier filter at {3} line "
                    "{4} (if this is intentional, avoid this warning by moving the global setting before {3} line "
                    "{4})",
                    now.file, now.line, name, then.file, then.line),
                {}, true);
        return;
    }
}

void Parser::warn_unsupported(const Block& block, const SettingSpec& spec, const Value& value) {
    if (spec.support == Support::Acts || value.text == spec.default_value) return;
    // A block of which nothing has an effect is one thing to say.
    bool whole_block = block.kind == BlockKind::Metric || block.kind == BlockKind::EventExporter;
    std::string name = whole_block ? fmt::format("{} {{}}", block_spec(block.kind).name) : block_path(spec.name);
    if (!unsupported_.insert(name).second) return;
    warning(fmt::format("{} has no effect: Culver knows this setting of Dovecot but does not act on it yet", name),
            "remove it, or keep it for the way back to Dovecot");
}

void Parser::open_block(const Line& line) {
    Frame& parent = frames_.back();
    if (frames_.size() >= kFrameLimit) return error("Too many nested sections", "close the sections above with }");
    if (parent.block == nullptr) return frames_.push_back({nullptr, parent.scope, here(), {}});
    if (handle_obsolete(line)) return;
    if (parent.block->kind == BlockKind::Root && is_filter_name(line.key)) {
        // After an error the content is read as if it stood outside, so that its own mistakes are found as well.
        if (!open_filter(line)) frames_.push_back({nullptr, parent.scope, here(), {}});
        return;
    }
    auto kind = find_child_block(parent.block->kind, line.key);
    if (!kind) {
        auto near = nearest_setting(parent.block->kind, line.key);
        error("Unknown setting: " + block_path(fmt::format("{0} {{ {0}", line.key)),
              near.empty() ? "remove it; doveconf -a lists every setting" : fmt::format("did you mean \"{}\"?", near));
        return frames_.push_back({nullptr, parent.scope, here(), {}});
    }
    if ((*kind == BlockKind::PassDb || *kind == BlockKind::UserDb) && !line.value.empty() &&
        parent.block->find_block(*kind, line.value) != nullptr)
        error(fmt::format("{}/{} already exists", line.key, line.value), "give each a name of its own");
    frames_.push_back({enter_block(*parent.block, *kind, line.value), parent.scope, here(), {}});
}

Block* Parser::enter_block(Block& parent, BlockKind kind, const std::string& label) {
    if (block_spec(kind).free_keys) {
        Block* known = parent.find_block(kind, {});
        return known != nullptr ? known : &parent.add_block(kind, {}, here());
    }
    if (!label.empty() && kind != BlockKind::PassDb && kind != BlockKind::UserDb)
        if (Block* known = parent.find_block(kind, label)) {
            if (known->place.file == 0) known->place = here();  // built in, now configured
            return known;
        }
    Block& block = parent.add_block(kind, label, here());
    if (auto row = find_setting(kind, "name"); row && !label.empty()) {
        Value& name = block.set(*row);
        name.text = label;
        name.place = here();
        name.is_set = true;
    }
    return &block;
}

bool Parser::open_filter(const Line& line) {
    const Frame parent = frames_.back();
    auto made = make_condition(parent.scope->condition,
                               parent.filter == kAuthBlock ? std::string_view() : parent.filter, line.key, line.value);
    if (!made) {
        error(made.error().text, made.error().hint);
        return false;
    }
    for (const auto& scope : config_.scopes) {
        if (!scope->condition.is_same_as(*made)) continue;
        frames_.push_back({&scope->root, scope.get(), here(), filter_name(line.key)});
        return true;
    }
    if (config_.scopes.size() >= UINT16_MAX) {
        error("Too many filters", "use one filter for many addresses or names");
        return false;
    }
    config_.scopes.push_back(std::make_unique<Scope>());
    Scope& scope = *config_.scopes.back();
    scope.condition = std::move(*made);
    scope.place = here();
    frames_.push_back({&scope.root, &scope, here(), filter_name(line.key)});
    return true;
}

void Parser::close_block() {
    if (frames_.size() == 1) return error("Unexpected '}'", "remove it, or add the missing \"name {\" above");
    frames_.pop_back();
}

}  // namespace culver::config
