#include "lib-mail/encoded-words.h"

#include <optional>

#include "lib-mail/charset.h"
#include "lib-mail/transfer-decoding.h"

namespace culver {

namespace {

struct Word {
    std::string_view charset, text;
    char encoding;
    std::size_t length;  // of the whole word
};

// The encoded word at the beginning of `text`, which begins with "=?".
std::optional<Word> encoded_word(std::string_view text) {
    text = text.substr(0, 4096);
    const std::size_t charset_end = text.find('?', 2);
    if (charset_end == std::string_view::npos || charset_end + 2 >= text.size() || text[charset_end + 2] != '?')
        return std::nullopt;
    const std::size_t begin = charset_end + 3;
    const std::size_t end = text.find("?=", begin);
    if (end == std::string_view::npos) return std::nullopt;
    Word word{text.substr(2, charset_end - 2), text.substr(begin, end - begin), text[charset_end + 1], end + 2};
    if (word.charset.empty() || word.charset.find(' ') != std::string_view::npos) return std::nullopt;
    // "=?utf-8*de?q?…" names a language (RFC 2231 §5), which does not matter here.
    word.charset = word.charset.substr(0, word.charset.find('*'));
    return word;
}

// "_" is a blank, "=C3" a byte (RFC 2047 §4.2).
std::string decode_q(std::string_view text) {
    std::string plain(text);
    for (char& c : plain)
        if (c == '_') c = ' ';
    return decode_quoted_printable(plain, QuotedPrintable::Header);
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Bytes of adjacent words of one charset are joined before they are converted: a character may be cut in two.
class Output {
public:
    void plain(std::string_view text) {
        flush();
        out_ += valid_utf8(text);
    }
    bool word(const Word& word) {
        std::string bytes;
        if (word.encoding == 'q' || word.encoding == 'Q') bytes = decode_q(word.text);
        else if (word.encoding == 'b' || word.encoding == 'B') bytes = decode_base64(word.text);
        else return false;
        if (word.charset != charset_) {
            if (!is_known_charset(word.charset)) return false;
            flush();
            charset_ = word.charset;
        }
        bytes_ += bytes;
        return true;
    }
    std::string take() {
        flush();
        return std::move(out_);
    }

private:
    void flush() {
        if (!bytes_.empty()) out_ += to_utf8(charset_, bytes_).value_or(bytes_);
        bytes_.clear();
        charset_.clear();
    }
    std::string out_, charset_, bytes_;
};

}  // namespace

std::string decode_encoded_words(std::string_view value) {
    Output out;
    const std::string_view limited = value.substr(0, kEncodedWordsLimit);
    std::size_t plain_begin = 0, at = 0;
    bool after_word = false;
    while ((at = limited.find("=?", at)) != std::string_view::npos) {
        const auto word = encoded_word(limited.substr(at));
        if (!word) {
            at += 2;
            continue;
        }
        const std::string_view before = value.substr(plain_begin, at - plain_begin);
        bool blank = true;
        for (const char c : before) blank = blank && is_blank(c);
        if (!before.empty() && !(after_word && blank)) out.plain(before);
        if (!out.word(*word)) out.plain(value.substr(at, word->length));
        after_word = true;
        at += word->length;
        plain_begin = at;
    }
    if (plain_begin < value.size()) out.plain(value.substr(plain_begin));
    return out.take();
}

}  // namespace culver
