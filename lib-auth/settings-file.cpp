#include "lib-auth/settings-file.h"

#include <fmt/format.h>

#include <utility>

#include "lib-base/text.h"

namespace culver {

namespace {
constexpr int kIncludeDepth = 8, kFileLimit = 64;

// Without a comment: # outside of quotes. A quote that is never closed is an ordinary character.
std::string_view without_comment(std::string_view line) {
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '#') return line.substr(0, i);
        if (line[i] != '"' && line[i] != '\'') continue;
        std::size_t end = i + 1;
        while (end < line.size() && line[end] != line[i]) end += line[end] == '\\' ? 2 : 1;
        if (end < line.size()) i = end;
        else return line.substr(0, line.find('#', i));  // linear: no more quotes are looked at
    }
    return line;
}

std::string without_quotes(std::string_view value) {
    bool quoted = value.size() > 1 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
    if (!quoted) return std::string(value);
    std::string out;
    for (std::size_t i = 1; i + 1 < value.size(); ++i) {
        if (value[i] == '\\' && i + 2 < value.size()) ++i;
        out += value[i];
    }
    return out;
}

class Reading {
public:
    Reading(const SettingsFileReader& reader, SettingsFile& out) : reader_(reader), out_(out) {}

    void read(std::string_view text, const std::string& path, int depth) {
        std::string pending;
        unsigned number = 0, first = 0;
        for (std::string_view line : split(text, '\n')) {
            ++number;
            if (line.ends_with('\r')) line.remove_suffix(1);
            line = trim(without_comment(line));
            if (line.empty()) continue;
            if (pending.empty()) first = number;
            bool goes_on = line.ends_with('\\');
            if (goes_on) line.remove_suffix(1);
            pending += line;
            if (goes_on) pending += ' ';
            else statement(std::exchange(pending, {}), path, first, depth);
        }
        if (!trim(pending).empty()) statement(pending, path, first, depth);
    }

private:
    void problem(const std::string& path, unsigned line, std::string_view text) {
        out_.problems.push_back(fmt::format("{}:{}: {}", path, line, text));
    }

    void statement(std::string_view line, const std::string& path, unsigned number, int depth) {
        line = trim(line);
        if (line.starts_with("!include")) return include(line, path, number, depth);
        std::size_t equals = line.find('=');
        if (equals == line.npos) {
            if (line != "}" && !line.ends_with('{')) problem(path, number, fmt::format("Expecting '=': {}", line));
            return;
        }
        out_.settings.push_back(
            {std::string(trim(line.substr(0, equals))), without_quotes(trim(line.substr(equals + 1))), path, number});
    }

    void include(std::string_view line, const std::string& path, unsigned number, int depth) {
        auto words = split_words(line);
        bool must_exist = words[0] == "!include";
        if (words.size() != 2 || (!must_exist && words[0] != "!include_try"))
            return problem(path, number, fmt::format("Unknown directive: {}", line));
        if (!reader_ || depth + 1 >= kIncludeDepth || ++files_ > kFileLimit)
            return problem(path, number, "!include: too many files in one another");
        std::string file(words[1]);
        // Relative to the file that names it.
        if (!file.starts_with('/')) file = path.substr(0, path.rfind('/') + 1) + file;
        auto text = reader_(file);
        if (text) return read(*text, file, depth + 1);
        if (must_exist) problem(path, number, text.error().detail);
    }

    const SettingsFileReader& reader_;
    SettingsFile& out_;
    int files_ = 0;
};
}  // namespace

SettingsFile parse_settings_file(std::string_view text, const std::string& path, const SettingsFileReader& reader) {
    SettingsFile out;
    Reading(reader, out).read(text, path, 0);
    return out;
}

}  // namespace culver
