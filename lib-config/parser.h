// Reads configuration files into a Config and notes everything that is wrong. Private to lib-config.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib-config/line.h"
#include "lib-config/load.h"
#include "lib-config/tree.h"

namespace culver::config {

class Parser {
public:
    Parser(Config& config, std::vector<Diagnostic>& diagnostics, bool expand_files);

    // Reads `path` and what it includes. False if the file itself cannot be read (a diagnostic says why).
    bool parse_file(const std::string& path);
    // Reads text that stands in no file (tests, fuzzing); `path` is its name in diagnostics.
    void parse_text(const std::string& path, std::string text);
    // One -o name=value.
    void parse_override(std::string_view name, std::string_view value);

private:
    struct Source {
        std::string path;
        std::uint32_t file;
        std::string text;
        LineReader reader;
        Source(std::string source_path, std::uint32_t index, std::string content)
            : path(std::move(source_path)), file(index), text(std::move(content)), reader(text) {}
    };
    struct Frame {
        Block* block;  // null inside a block that is not known: its content is passed over
        Scope* scope;
        Place place;
        std::string_view filter;  // "protocol", "local", ... if the frame is a filter
    };
    static constexpr std::string_view kAuthBlock = "auth";  // Frame::filter of an auth {} block of Dovecot 1.x

    void run();
    void handle(const Line& line);
    void assign(const Line& line);
    void assign_path(const Line& line);
    void store(Block& block, std::uint16_t row, const Line& line);
    void store_free(Block& block, const std::string& key, const Line& line);
    void open_block(const Line& line);
    bool open_filter(const Line& line);
    Block* enter_block(Block& parent, BlockKind kind, const std::string& label);
    void close_block();
    void include(const Line& line);
    void include_file(const std::string& path, bool must_exist);
    bool handle_obsolete(const Line& line);
    bool handle_obsolete_block(const Line& line);
    bool handle_obsolete_listen(const Line& line);
    bool handle_obsolete_protocols(const Line& line);
    bool handle_obsolete_workarounds(const Line& line);
    void assign_moved(const Line& line, std::string_view services, std::string_view setting, const std::string& value);
    void warn_about_filters(std::uint16_t row, std::string_view name);
    void warn_unsupported(const Block& block, const SettingSpec& spec, const Value& value);

    // The value with <file and $references put in; nothing (and a diagnostic) if that fails.
    bool resolve_written(const Line& line, std::string_view name, Value& value);
    bool read_value_file(std::string_view name, std::string_view path, Value& value);
    bool expand_references(std::string_view text, std::string& out);
    const std::string* find_reference(std::string_view name) const;

    std::string block_path(std::string_view last) const;  // "service { unix_listener { foo"
    Place here() const;
    void error(std::string text, std::string hint);
    void warning(std::string text, std::string hint = {}, bool text_has_place = false);
    void obsolete(std::string text);

    Config& config_;
    std::vector<Diagnostic>& diagnostics_;
    bool expand_files_;
    std::vector<std::unique_ptr<Source>> sources_;
    std::vector<Frame> frames_;
    std::string override_;  // the -o being read, for its diagnostics
    unsigned included_ = 0;
    bool told_about_obsolete_ = false;
    std::set<std::string, std::less<>> unsupported_;  // names already warned of
};

}  // namespace culver::config
