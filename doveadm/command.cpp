#include "doveadm/command.h"

#include <cstdio>

#include "doveadm/usage.h"
#include "lib-base/text.h"

namespace culver::doveadm {

int exit_code_for(const Error& error) {
    switch (error.code) {
        case ErrorCode::NotFound: return kExitNotFound;
        case ErrorCode::AlreadyExists:
        case ErrorCode::Unsupported: return kExitExists;
        case ErrorCode::InvalidArgument: return kExitUsage;
        case ErrorCode::NoPermission: return kExitNoPermission;
        default: return kExitTemporary;
    }
}

namespace {
// The options that every mail command has.
constexpr OptionSpec kMailOptions[] = {
    {'u', "user", "The user, or a mask with * and ? of users"},
    {'A', "", "All users that the user databases list"},
    {'F', "file", "The users in this file, one per line"},
    {'S', "socket_path", "A doveadm server to ask"},
};
}  // namespace

std::optional<OptionSpec> Invocation::find_option(char letter) const {
    for (const OptionSpec& option : spec_.options)
        if (option.letter == letter) return option;
    if (spec_.is_mail_command()) {
        for (const OptionSpec& option : kMailOptions)
            if (option.letter == letter) return option;
    }
    return std::nullopt;
}

bool Invocation::parse(const std::vector<std::string>& words) {
    const std::string_view name = spec_.words.substr(spec_.words.rfind(' ') + 1);
    const auto complain = [&](std::string_view text, char letter) {
        std::fprintf(stderr, "%.*s: %.*s -- '%c'\n", static_cast<int>(name.size()), name.data(),
                     static_cast<int>(text.size()), text.data(), letter);
        return false;
    };
    std::size_t i = 0;
    for (; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--") {
            ++i;
            break;
        }
        if (word.size() < 2 || word[0] != '-') break;
        for (std::size_t k = 1; k < word.size(); ++k) {
            const auto option = find_option(word[k]);
            if (!option) return complain("invalid option", word[k]);
            if (option->value.empty()) {
                options_.emplace_back(word[k], "");
                continue;
            }
            if (k + 1 < word.size()) {
                options_.emplace_back(word[k], word.substr(k + 1));
            } else if (i + 1 < words.size()) {
                options_.emplace_back(word[k], words[++i]);
            } else {
                return complain("option requires an argument", word[k]);
            }
            break;
        }
    }
    arguments_.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
    return true;
}

bool Invocation::has(char letter) const { return option(letter).has_value(); }

std::optional<std::string> Invocation::option(char letter) const {
    for (auto it = options_.rbegin(); it != options_.rend(); ++it)
        if (it->first == letter) return it->second;
    return std::nullopt;
}

std::vector<std::string> Invocation::options(char letter) const {
    std::vector<std::string> values;
    for (const auto& [key, value] : options_)
        if (key == letter) values.push_back(value);
    return values;
}

std::string Invocation::socket_path(std::string_view path) const {
    if (path.starts_with('/')) return std::string(path);
    return settings_->string("base_dir") + "/" + std::string(path);
}

namespace {
void print_line(const std::string& user, std::string_view level, std::string_view text) {
    std::fflush(stdout);
    std::string line = user.empty() ? "" : "doveadm(" + user + "): ";
    line += level;
    line += ": ";
    for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}
}  // namespace

void Invocation::error(std::string_view text) const { print_line(user_, "Error", text); }
void Invocation::info(std::string_view text) const { print_line(user_, "Info", text); }
void Invocation::fatal(std::string_view text) const { print_line(user_, "Fatal", text); }

int Invocation::report(const Error& failure, std::string_view what) const {
    std::string text(what);
    if (!text.empty()) text += ": ";
    // For what the caller can mend the short text is the better one; for the rest the admin needs the whole story.
    const bool is_plain = failure.code == ErrorCode::NotFound || failure.code == ErrorCode::AlreadyExists ||
                          failure.code == ErrorCode::InvalidArgument || failure.code == ErrorCode::Limit ||
                          failure.code == ErrorCode::Unsupported;
    if ((is_plain && !failure.client.empty()) || failure.detail.empty()) {
        text += failure.client;
    } else {
        text += failure.detail;
    }
    error(text);
    return exit_code_for(failure);
}

int Invocation::usage() const {
    std::fflush(stdout);
    const std::string line = "doveadm " + synopsis_line(spec_) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
    return kExitUsage;
}

}  // namespace culver::doveadm
