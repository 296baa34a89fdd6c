#include "lib-storage/maildir/uidlist.h"

#include <fmt/format.h>

#include "lib-base/text.h"

namespace culver {

namespace {

std::string_view next_word(std::string_view& rest) {
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    auto end = rest.find(' ');
    std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
    return word;
}

bool is_base_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && name[0] != '.' && name.find('/') == std::string_view::npos &&
           name.find('\0') == std::string_view::npos;
}

// "3 V123 N4 G0123..": the fields behind the version.
bool parse_header_3(std::string_view rest, Uidlist& list) {
    while (true) {
        std::string_view word = next_word(rest);
        if (word.empty()) break;
        std::string_view value = word.substr(1);
        if (word[0] == 'V') {
            list.uid_validity = parse_uint32(value).value_or(0);
        } else if (word[0] == 'N') {
            list.next_uid = parse_uint32(value).value_or(0);
        } else if (word[0] == 'G') {
            if (value.size() == 32 && parse_hex(value.substr(0, 16)) && parse_hex(value.substr(16))) list.guid = value;
        } else {
            list.other_fields += ' ';
            list.other_fields += word;
        }
    }
    return list.uid_validity != 0 && list.next_uid != 0;
}

bool parse_header_1(std::string_view rest, Uidlist& list) {
    list.uid_validity = parse_uint32(next_word(rest)).value_or(0);
    list.next_uid = parse_uint32(next_word(rest)).value_or(0);
    list.needs_rewrite = true;
    return list.uid_validity != 0 && list.next_uid != 0;
}

bool parse_line(std::string_view line, bool version_3, UidlistEntry& entry) {
    auto blank = line.find(' ');
    if (blank == std::string_view::npos) return false;
    auto uid = parse_uint32(line.substr(0, blank));
    if (!uid || *uid == 0 || *uid == UINT32_MAX) return false;
    entry.uid = *uid;
    std::string_view rest = line.substr(blank + 1);
    if (version_3) {
        auto colon = rest.starts_with(':') ? 0 : rest.find(" :");
        if (colon == std::string_view::npos) return false;
        entry.fields = trim(rest.substr(0, colon));
        rest.remove_prefix(colon + (colon == 0 ? 1 : 2));
    }
    // Early versions wrote whole file names.
    entry.name = rest.substr(0, rest.find(':'));
    return is_base_name(entry.name);
}

}  // namespace

Result<Uidlist> parse_uidlist(std::string_view text) {
    Uidlist list;
    auto header_end = text.find('\n');
    if (header_end == std::string_view::npos) return fail(ErrorCode::Corrupt, "dovecot-uidlist has no header line");
    std::string_view header = text.substr(0, header_end);
    std::string_view version = next_word(header);
    if (version != "3" && version != "1")
        return fail(ErrorCode::Corrupt, "dovecot-uidlist has an unknown version in its first line");
    const bool version_3 = version == "3";
    if (!(version_3 ? parse_header_3(header, list) : parse_header_1(header, list)))
        return fail(ErrorCode::Corrupt, "dovecot-uidlist has a broken first line");
    std::size_t at = header_end + 1;
    std::uint32_t last = 0;
    while (at < text.size()) {
        auto end = text.find('\n', at);
        if (end == std::string_view::npos) break;
        UidlistEntry entry;
        if (!parse_line(text.substr(at, end - at), version_3, entry) || entry.uid <= last) {
            ++list.broken_lines;
            list.needs_rewrite = true;
        } else {
            last = entry.uid;
            list.entries.push_back(entry);
        }
        at = end + 1;
    }
    list.valid_length = at;
    if (list.next_uid <= last) list.next_uid = last + 1;
    return list;
}

std::string format_uidlist_header(std::uint32_t uid_validity, std::uint32_t next_uid, std::string_view guid,
                                  std::string_view other_fields) {
    return fmt::format("3 V{} N{} G{}{}\n", uid_validity, next_uid, guid, other_fields);
}

void append_uidlist_line(std::string& out, std::uint32_t uid, std::string_view fields, std::string_view name) {
    out += fmt::format_int(uid).str();
    if (!fields.empty()) {
        out += ' ';
        out += fields;
    }
    out += " :";
    out += name;
    out += '\n';
}

std::string_view uidlist_field(std::string_view fields, char letter) {
    while (!fields.empty()) {
        std::string_view word = next_word(fields);
        if (!word.empty() && word[0] == letter) return word.substr(1);
    }
    return {};
}

}  // namespace culver
