#include "lib-storage/list/subscriptions.h"

#include <algorithm>

#include "lib-base/file.h"
#include "lib-mail/modified-utf7.h"

namespace culver {

namespace {

constexpr std::string_view kHeader = "V\t2\n\n";
constexpr std::size_t kNameLimit = 100'000;

bool is_plausible(std::string_view path) {
    if (path.empty() || path.size() > 4096) return false;
    for (const char c : path)
        if ((static_cast<unsigned char>(c) < 0x20 && c != kLevelSeparator) || c == 0x7f) return false;
    return true;
}

// From the file's form: modified UTF-7, or UTF-8 if another program wrote it so.
std::string decode_level(std::string_view level) {
    auto name = modified_utf7_decode(level);
    return name ? std::move(*name) : std::string(level);
}

}  // namespace

std::set<FolderPath, std::less<>> parse_subscriptions(std::string_view text, char storage_separator) {
    std::set<FolderPath, std::less<>> names;
    const bool is_version_2 = text.starts_with("V\t2\n");
    if (is_version_2) text.remove_prefix(4);
    while (!text.empty() && names.size() < kNameLimit) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        FolderPath path;
        for (const std::string_view level : split(line, is_version_2 ? '\t' : storage_separator)) {
            if (!path.empty()) path += kLevelSeparator;
            path += decode_level(level);
        }
        if (equals_ignore_case(path, "INBOX")) path = "INBOX";
        if (is_plausible(path)) names.insert(std::move(path));
    }
    return names;
}

std::string format_subscriptions(const std::set<FolderPath, std::less<>>& names) {
    std::string text(kHeader);
    for (const FolderPath& path : names) {
        std::string line;
        for (const std::string_view level : levels_of(path)) {
            if (!line.empty()) line += '\t';
            const auto encoded = modified_utf7_encode(level);
            line += encoded ? *encoded : std::string(level);
        }
        text += line + "\n";
    }
    return text;
}

Result<std::set<FolderPath, std::less<>>> read_subscriptions(const std::string& path, char storage_separator) {
    auto text = read_file(path);
    if (!text) {
        if (text.error().code == ErrorCode::NotFound) return std::set<FolderPath, std::less<>>();
        return std::unexpected(std::move(text).error());
    }
    return parse_subscriptions(*text, storage_separator);
}

Status write_subscriptions(const std::string& path, const std::set<FolderPath, std::less<>>& names,
                           const TreeModes& modes) {
    return replace_file(path, format_subscriptions(names), modes.file);
}

}  // namespace culver
