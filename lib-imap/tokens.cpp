// The first pass of Parser: a command line is cut into words, strings, literals and parentheses.
#include "lib-base/text.h"
#include "lib-imap/parser.h"

namespace culver {

struct Parser::Tokenizer {
    Parser& parser;
    std::string_view text;
    std::size_t at = 0;
    std::size_t depth = 0;

    void run() {
        while (parser.ok()) {
            while (at < text.size() && text[at] == ' ') ++at;
            if (at == text.size()) break;
            one();
        }
        if (parser.ok() && depth > 0) parser.fail("Missing ')'");
        if (!parser.ok()) parser.items_.clear();
        push(Token::End, text.size(), 0);
    }

    void push(Token token, std::size_t begin, std::size_t length, bool escaped = false, bool synchronising = false) {
        parser.items_.push_back(
            {token, escaped, synchronising, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(length)});
    }

    void one() {
        switch (text[at]) {
            case '(':
                if (++depth > kNestingLimit) return parser.fail("Too many nested lists");
                push(Token::ListBegin, at++, 1);
                return;
            case ')':
                if (depth == 0) return parser.fail("Unexpected ')'");
                --depth;
                push(Token::ListEnd, at++, 1);
                return;
            case '"': return quoted();
            case '{': return literal(Token::Literal);
            case '~':
                if (at + 1 < text.size() && text[at + 1] == '{') {
                    ++at;
                    return literal(Token::Binary);
                }
                return atom();
            default: return atom();
        }
    }

    void quoted() {
        const std::size_t begin = ++at;
        bool escaped = false;
        for (; at < text.size(); ++at) {
            const char c = text[at];
            if (c == '"') {
                push(Token::Quoted, begin, at - begin, escaped);
                ++at;
                return;
            }
            if (c == '\\') {
                escaped = true;
                if (++at == text.size()) break;
            }
            if (text[at] == '\0') return parser.fail("NULs not allowed in strings");
            if (text[at] == '\r' || text[at] == '\n') break;
        }
        parser.fail("Missing '\"'");
    }

    // At "{": the size, and the bytes behind the line end, unless the text ends there.
    void literal(Token token) {
        const std::size_t close = text.substr(at, 32).find('}');
        if (close == std::string_view::npos) return parser.fail("Missing '}'");
        std::string_view digits = text.substr(at + 1, close - 1);
        const bool synchronising = !digits.ends_with('+');
        if (!synchronising) digits.remove_suffix(1);
        const auto size = parse_uint64(digits);
        if (!size) return parser.fail("Invalid literal size");
        const std::size_t digits_begin = at + 1;
        at += close + 1;
        if (at < text.size() && text[at] == '\r') ++at;
        const bool line_end = at < text.size() && text[at] == '\n';
        if (line_end) ++at;
        if (at == text.size() && (!line_end || *size > 0)) {
            // Only its head is here: the caller streams the bytes (APPEND).
            push(Token::LiteralHeader, digits_begin, digits.size(), token == Token::Binary, synchronising);
            return;
        }
        if (!line_end) return parser.fail("Missing LF after literal size");
        if (*size > text.size() - at) return parser.fail("Literal is cut off");
        if (text.substr(at, *size).find('\0') != std::string_view::npos && token == Token::Literal)
            return parser.fail("NULs not allowed in literals");
        push(token, at, *size, false, synchronising);
        at += *size;
    }

    void atom() {
        const std::size_t begin = at;
        for (; at < text.size(); ++at) {
            const unsigned char c = static_cast<unsigned char>(text[at]);
            if (c == ' ' || (c == ')' && depth > 0)) break;
            if (c == ')') return parser.fail("Unexpected ')'");
            if (c >= 0x80) return parser.fail("8bit data in atom");
            if (c < 0x20 || c == 0x7f || c == '(' || c == '"' || c == '{')
                return parser.fail("Invalid characters in atom");
        }
        push(Token::Atom, begin, at - begin);
    }
};

Parser::Parser(std::string_view arguments) : text_(arguments) {
    items_.reserve(16);
    Tokenizer{*this, arguments}.run();
}

}  // namespace culver
