#include "lib-base/text.h"
#include "lib-imap/parser.h"

namespace culver {

namespace {

// RFC 9051 §9: tag = 1*<any ASTRING-CHAR except "+">.
bool is_tag_char(unsigned char c) {
    return c > 0x20 && c < 0x7f && std::string_view("+(){%*\"\\").find(static_cast<char>(c)) == std::string_view::npos;
}

bool is_name_char(unsigned char c) {
    return c > 0x20 && c < 0x7f && std::string_view("(){%*\"\\").find(static_cast<char>(c)) == std::string_view::npos;
}

std::string_view take_word(std::string_view& rest, bool (*allowed)(unsigned char)) {
    std::size_t length = 0;
    while (length < rest.size() && allowed(static_cast<unsigned char>(rest[length]))) ++length;
    const std::string_view word = rest.substr(0, length);
    if (length < rest.size() && rest[length] != ' ') return {};
    rest.remove_prefix(length);
    return word;
}

}  // namespace

CommandHead split_command(std::string_view line) {
    CommandHead head;
    std::string_view rest = line;
    head.tag = take_word(rest, is_tag_char);
    if (head.tag.empty()) {
        head.error = "Invalid tag";
        return head;
    }
    head.tag_is_valid = true;
    for (int word_number = 0; word_number < 2; ++word_number) {
        if (rest.starts_with(' ')) rest.remove_prefix(1);
        const std::string_view word = take_word(rest, is_name_char);
        if (word.empty()) {
            head.error = "Invalid command name";
            return head;
        }
        if (word_number > 0) head.name += ' ';
        head.name += to_upper(word);
        if (head.name != "UID") break;
    }
    head.arguments = rest;
    return head;
}

}  // namespace culver
