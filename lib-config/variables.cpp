#include "lib-config/variables.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "lib-base/text.h"
#include "lib-config/variable-functions.h"

namespace culver {

namespace {

using config::Computed;

constexpr std::size_t kOutputLimit = 64 << 10;
constexpr int kWidthLimit = 1024;
constexpr int kDepthLimit = 8;  // %{if} in %{if}

// One letter and the name it stands for, where the caller has no meaning of its own for the letter.
struct Letter {
    char letter;
    std::string_view name;
};
constexpr std::array<Letter, 15> kLetters = {{{'u', "user"},
                                              {'n', "username"},
                                              {'d', "domain"},
                                              {'s', "service"},
                                              {'h', "home"},
                                              {'i', "uid"},
                                              {'l', "lip"},
                                              {'r', "rip"},
                                              {'p', "pid"},
                                              {'w', "password"},
                                              {'m', "mech"},
                                              {'c', "secured"},
                                              {'a', "lport"},
                                              {'b', "rport"},
                                              {'k', "cert"}}};

// What stands between '%' and the name: %[-][0][skip.][width] and the letters of modifiers.
struct Format {
    bool from_end = false, zero_pad = false;
    int skip = 0;
    int width = 0;  // 0 = all
    std::string_view modifiers;
};

std::string escape_quotes(std::string_view value) {
    std::string out;
    for (char c : value) {
        if (c == '"' || c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

// A domain as a DN. Its labels are escaped one by one: the ",dc=" between them mean what they say.
std::string ldap_domain(std::string_view value, const VariableEscape& escape) {
    std::string out;
    for (std::string_view label : split(value, '.')) {
        if (label.data() != value.data()) out += ",dc=";
        out += escape ? escape(label) : std::string(label);
    }
    return out;
}

std::string hash_number(std::uint32_t hash, const Format& format) {
    if (format.width == 0) return fmt::format("{:x}", hash);
    return fmt::format("{:0{}x}", hash % static_cast<std::uint32_t>(format.width), format.skip);
}

// The modifiers in order. %H and %N use up skip and width themselves: `numeric`. %D escapes: `escaped`.
std::string apply_modifiers(std::string value, const Format& format, const VariableEscape& escape, bool& numeric,
                            bool& escaped) {
    for (char modifier : format.modifiers) {
        switch (modifier) {
            case 'L': value = to_lower(value); break;
            case 'U': value = to_upper(value); break;
            case 'E': value = escape_quotes(value); break;
            case 'R': value.assign(value.rbegin(), value.rend()); break;
            case 'T': value = std::string(trim(value)); break;
            case 'D':
                value = ldap_domain(value, escape);
                if (escape) escaped = true;
                break;
            case 'M': value = config::md5_hex(value); break;
            case 'X': {
                auto digits = std::string_view(value).substr(0, value.find_first_not_of("0123456789"));
                value = fmt::format("{:x}", parse_uint64(digits).value_or(0));
                break;
            }
            case 'H':
            case 'N':
                value = hash_number(modifier == 'H' ? config::old_hash(value) : config::new_hash(value), format);
                numeric = true;
                break;
            default: break;
        }
    }
    return value;
}

std::string apply_width(std::string value, const Format& format) {
    auto size = static_cast<int>(value.size());
    int start = format.skip;
    if (format.from_end && format.skip > 0) start = std::max(0, size - format.skip);
    value = start >= size ? std::string() : value.substr(static_cast<std::size_t>(start));
    if (format.width > 0 && value.size() > static_cast<std::size_t>(format.width))
        value.resize(static_cast<std::size_t>(format.width));
    if (format.zero_pad && value.size() < static_cast<std::size_t>(format.width))
        value.insert(0, static_cast<std::size_t>(format.width) - value.size(), '0');
    return value;
}

class Expander {
public:
    Expander(const VariableLookup& lookup, const VariableEscape& escape, int depth)
        : lookup_(lookup), escape_(escape), depth_(depth) {}

    Computed expand(std::string_view text) {
        std::string out;
        std::size_t i = 0;
        while (i < text.size()) {
            if (text[i] != '%') {
                std::size_t end = std::min(text.find('%', i), text.size());
                out += text.substr(i, end - i);
                i = end;
            } else {
                auto value = expand_one(text, i);
                if (!value) return value;
                out += *value;
            }
            if (out.size() > kOutputLimit) return std::unexpected(std::string("the result is longer than 64 KiB"));
        }
        return out;
    }

private:
    // At '%'; leaves `i` behind the variable.
    Computed expand_one(std::string_view text, std::size_t& i) {
        ++i;
        Format format = parse_format(text, i);
        if (i >= text.size()) return std::string();  // a lone '%' at the end is dropped
        std::optional<std::string> value;
        bool literal = false;
        if (text[i] == '{') {
            std::size_t end = find_closing_brace(text, i);
            if (end == std::string_view::npos) return std::unexpected(std::string("Unknown variable '%{'"));
            std::string_view name = text.substr(i + 1, end - i - 1);
            i = end + 1;
            auto named = expand_named(name, literal);
            if (!named) return named;
            value = std::move(*named);
        } else if (text[i] == '%') {
            ++i;
            return std::string("%");
        } else {
            value = find_letter(text[i]);
            if (!value) return std::unexpected(fmt::format("Unknown variable '%{}'", text[i]));
            ++i;
        }
        bool numeric = false, escaped = literal && escape_;
        std::string made = apply_modifiers(std::move(*value), format, literal ? nullptr : escape_, numeric, escaped);
        // What is escaped may not be cut: half of an escape would swallow what follows.
        if (!numeric && !escaped) made = apply_width(std::move(made), format);
        return escape_ && !escaped ? escape_(made) : made;
    }

    static int parse_digits(std::string_view text, std::size_t& i) {
        int number = 0;
        for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
            number = std::min(number * 10 + (text[i] - '0'), kWidthLimit);
        return number;
    }

    static Format parse_format(std::string_view text, std::size_t& i) {
        Format format;
        if (i < text.size() && text[i] == '-') {
            format.from_end = true;
            ++i;
        }
        if (i < text.size() && text[i] == '0') {
            format.zero_pad = true;
            ++i;
        }
        format.width = parse_digits(text, i);
        if (i < text.size() && text[i] == '.') {
            ++i;
            format.skip = format.width;
            format.width = parse_digits(text, i);
        }
        std::size_t start = i;
        while (i < text.size() && std::string_view("LUERTDMXHN").find(text[i]) != std::string_view::npos) ++i;
        format.modifiers = text.substr(start, i - start);
        return format;
    }

    static std::size_t find_closing_brace(std::string_view text, std::size_t open) {
        int depth = 0;
        for (std::size_t i = open; i < text.size(); ++i) {
            if (text[i] == '{') ++depth;
            if (text[i] == '}' && --depth == 0) return i;
        }
        return std::string_view::npos;
    }

    std::optional<std::string> find_letter(char letter) const {
        if (auto own = lookup_(std::string_view(&letter, 1))) return own;
        for (const auto& known : kLetters)
            if (known.letter == letter) return lookup_(known.name);
        return std::nullopt;
    }

    Computed expand_named(std::string_view name, bool& literal) {
        // The branches of %{if} have been escaped piece by piece where variables stood in them.
        if (name == "if" || name.starts_with("if;")) {
            literal = true;
            return expand_if(name);
        }
        if (auto value = lookup_(name); value && name.size() > 1) return *value;
        auto colon = name.find(':');
        std::string_view function = name.substr(0, std::min(colon, name.find(';')));
        if (name == "env" || function == "env") {
            const char* found =
                colon == std::string_view::npos ? nullptr : std::getenv(std::string(name.substr(colon + 1)).c_str());
            return std::string(found == nullptr ? "" : found);
        }
        if (colon != std::string_view::npos && config::is_hash_function(function)) return expand_hash(name, function);
        return std::unexpected(fmt::format("Unknown variable '%{}'", name.substr(0, colon)));
    }

    // "sha256;rounds=2,salt=%d:user"
    Computed expand_hash(std::string_view name, std::string_view function) {
        // The first colon outside of braces: arguments may hold %{a:b}, the field may be ldap:mail.
        std::size_t colon = function.size();
        for (int depth = 0; colon < name.size() && (name[colon] != ':' || depth != 0); ++colon) {
            if (name[colon] == '{') ++depth;
            if (name[colon] == '}') --depth;
        }
        if (colon == name.size()) return std::unexpected(fmt::format("Unknown variable '%{}'", name));
        std::string_view field = name.substr(colon + 1);
        auto input = field.size() == 1 ? find_letter(field[0]) : lookup_(field);
        if (!input) return std::unexpected(fmt::format("Unknown variable '%{}'", field));
        std::string_view arguments = name.substr(function.size(), colon - function.size());
        if (arguments.starts_with(';')) arguments.remove_prefix(1);
        auto expanded = nested(arguments, nullptr);
        if (!expanded) return expanded;
        return config::hash_value(function, *expanded, *input);
    }

    Computed expand_if(std::string_view name) {
        auto parts = split_arguments(name);
        if (parts.size() < 2) return std::unexpected(std::string("if: missing parameter(s)"));
        if (parts.size() < 5 || parts.size() > 6) {
            return std::unexpected(fmt::format("if: requires four or five parameters, got {}", parts.size() - 1));
        }
        auto left = nested(parts[1], nullptr), right = nested(parts[3], nullptr);
        if (!left) return left;
        if (!right) return right;
        auto holds = config::compare_values(*left, parts[2], *right);
        if (!holds) return std::unexpected(holds.error());
        if (*holds) return nested(parts[4], escape_);
        return parts.size() == 6 ? nested(parts[5], escape_) : std::string();
    }

    Computed nested(std::string_view text, const VariableEscape& escape) {
        if (depth_ >= kDepthLimit) return std::unexpected(std::string("if: nested too deeply"));
        return Expander(lookup_, escape, depth_ + 1).expand(text);
    }

    // Split at ';' outside braces; "\;" is a semicolon.
    static std::vector<std::string> split_arguments(std::string_view text) {
        std::vector<std::string> parts(1);
        int depth = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\\' && i + 1 < text.size() && depth == 0) {
                parts.back() += text[++i];
                continue;
            }
            if (text[i] == '{') ++depth;
            if (text[i] == '}') --depth;
            if (text[i] == ';' && depth == 0) parts.emplace_back();
            else parts.back() += text[i];
        }
        return parts;
    }

    const VariableLookup& lookup_;
    const VariableEscape& escape_;
    int depth_;
};

std::string first_part(const std::string& text, char separator) { return text.substr(0, text.find(separator)); }

std::string after(const std::string& text, char separator) {
    auto pos = text.find(separator);
    return pos == std::string::npos ? std::string() : text.substr(pos + 1);
}

std::string host_name() {
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0) return "localhost";
    return name;
}

std::optional<std::string> find_user_variable(const UserVariables& of, std::string_view name) {
    if (name == "user") return of.user;
    if (name == "username") return first_part(of.user, '@');
    if (name == "domain") return after(of.user, '@');
    if (name == "domain_first") return first_part(after(of.user, '@'), '@');
    if (name == "domain_last")
        return of.user.find('@') == std::string::npos ? std::string() : of.user.substr(of.user.rfind('@') + 1);
    if (name == "home") return of.home;
    if (name == "uid") return of.uid;
    if (name == "gid") return of.gid;
    if (name == "service") return of.service;
    if (name == "lip") return of.local_ip;
    if (name == "rip") return of.remote_ip;
    if (name == "session") return of.session;
    if (name == "pid") return fmt::format("{}", getpid());
    if (name == "hostname") return host_name();
    const std::string& auth = of.auth_user.empty() ? of.user : of.auth_user;
    if (name == "auth_user") return auth;
    if (name == "auth_username") return first_part(auth, '@');
    if (name == "auth_domain") return after(auth, '@');
    return std::nullopt;
}

}  // namespace

Result<std::string> expand_variables(std::string_view text, const VariableLookup& lookup,
                                     const VariableEscape& escape) {
    if (text.find('%') == std::string_view::npos) return std::string(text);
    auto made = Expander(lookup, escape, 0).expand(text);
    if (!made) return fail(ErrorCode::InvalidArgument, fmt::format("Failed to expand {}: {}", text, made.error()));
    return std::move(*made);
}

VariableLookup UserVariables::lookup() const {
    return [of = *this](std::string_view name) { return find_user_variable(of, name); };
}

}  // namespace culver
