#include "lib-imap/parser.h"

#include <algorithm>

#include "lib-base/text.h"
#include "lib-imap/date-time.h"
#include "lib-mail/modified-utf7.h"

namespace culver {

void Parser::fail(ParseError error) {
    if (!error_) error_ = std::move(error);
}

Parser::Token Parser::peek() const { return items_[position_].token; }

bool Parser::more() const { return ok() && peek() != Token::End && peek() != Token::ListEnd; }

Parser& Parser::space(std::string_view text) {
    if (ok() && !more()) fail(text);
    return *this;
}

void Parser::end(std::string_view text) {
    if (ok() && peek() != Token::End) fail(text);
}

std::string_view Parser::peek_atom() const {
    return ok() && peek() == Token::Atom ? content(items_[position_]) : std::string_view();
}

bool Parser::skip_atom(std::string_view word) {
    if (!ok() || peek() != Token::Atom || !equals_ignore_case(content(items_[position_]), word)) return false;
    ++position_;
    return true;
}

void Parser::skip() {
    if (!more()) return;
    std::size_t depth = 0;
    do {
        if (peek() == Token::ListBegin) ++depth;
        if (peek() == Token::ListEnd) --depth;
        ++position_;
    } while (depth > 0);
}

const Parser::Item* Parser::next(std::string_view text) {
    if (!ok()) return nullptr;
    const Item& item = items_[position_];
    switch (item.token) {
        case Token::Binary: fail("literal8 not allowed here"); return nullptr;
        case Token::Atom:
        case Token::Quoted:
        case Token::Literal: ++position_; return &item;
        default: fail(text); return nullptr;
    }
}

std::string Parser::value(const Item& item) const {
    const std::string_view bytes = content(item);
    if (!item.escaped) return std::string(bytes);
    std::string out;
    out.reserve(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == '\\' && i + 1 < bytes.size()) ++i;
        out += bytes[i];
    }
    return out;
}

std::string_view Parser::atom(std::string_view text) {
    if (!ok()) return {};
    if (peek() != Token::Atom) {
        fail(text);
        return {};
    }
    return content(items_[position_++]);
}

std::string Parser::keyword(std::string_view text) { return to_upper(atom(text)); }

std::string Parser::astring(std::string_view text) {
    const Item* item = next(text);
    return item ? value(*item) : std::string();
}

std::string Parser::string(std::string_view text) {
    if (ok() && peek() == Token::Atom) fail(text);
    return astring(text);
}

std::optional<std::string> Parser::nstring(std::string_view text) {
    if (skip_atom("NIL")) return std::nullopt;
    std::string text_read = string(text);
    if (!ok()) return std::nullopt;
    return text_read;
}

std::string Parser::mailbox(std::string_view text) {
    std::string name = list_mailbox(text);
    return equals_ignore_case(name, "INBOX") ? "INBOX" : name;
}

std::string Parser::list_mailbox(std::string_view text) {
    const std::string encoded = astring(text);
    if (!ok()) return {};
    auto name = modified_utf7_decode(encoded);
    if (!name || name->find('\0') != std::string::npos) {
        fail({ParseError::Kind::No, {}, "Mailbox name is not valid mUTF-7"});
        return {};
    }
    return std::move(*name);
}

std::uint32_t Parser::number(std::string_view text) {
    const auto value = parse_uint32(atom(text));
    if (!value) fail(text);
    return ok() ? *value : 0;
}

std::uint32_t Parser::nz_number(std::string_view text) {
    const std::uint32_t value = number(text);
    if (value == 0) fail(text);
    return value;
}

std::uint64_t Parser::number64(std::string_view text) {
    const auto value = parse_uint64(atom(text));
    if (!value || *value > INT64_MAX) fail(text);
    return ok() ? *value : 0;
}

SequenceSet Parser::sequence_set() {
    auto set = SequenceSet::parse(atom());
    if (!set) fail("Invalid messageset");
    return ok() ? std::move(*set) : SequenceSet();
}

SequenceSet Parser::uid_set() {
    auto set = SequenceSet::parse(atom());
    if (!set) fail("Invalid uidset");
    return ok() ? std::move(*set) : SequenceSet();
}

Date Parser::date(std::string_view text) {
    const auto date = parse_date(astring(text));
    if (!date) fail(text);
    return ok() ? *date : Date();
}

std::int64_t Parser::date_time(std::string_view text) {
    const auto seconds = parse_date_time(string());
    if (!seconds) fail(text);
    return ok() ? *seconds : 0;
}

LiteralHeader Parser::literal_header(std::string_view text) {
    if (!ok()) return {};
    if (peek() != Token::LiteralHeader) {
        fail(text);
        return {};
    }
    const Item& item = items_[position_++];
    return {parse_uint64(content(item)).value_or(0), item.synchronising, item.escaped};
}

Parser& Parser::open_list(std::string_view text) {
    if (!ok()) return *this;
    if (peek() == Token::ListBegin) ++position_;
    else fail(text);
    return *this;
}

void Parser::close_list(std::string_view text) {
    if (!ok()) return;
    if (peek() == Token::ListEnd) ++position_;
    else fail(text);
}

std::vector<std::string> Parser::astrings(std::string_view text) {
    std::vector<std::string> words;
    if (next_is_list()) {
        open_list(text);
        while (more()) words.push_back(astring(text));
        close_list(text);
    } else {
        words.push_back(astring(text));
    }
    return words;
}

FlagList Parser::flags() {
    FlagList flags;
    const bool in_list = next_is_list();
    if (in_list) open_list();
    while (more()) {
        if (peek() == Token::Atom) add_flag(atom(), flags);
        else fail("Flags list contains non-atoms");
    }
    if (in_list) close_list();
    return flags;
}

void Parser::add_flag(std::string_view word, FlagList& flags) {
    static constexpr std::pair<std::string_view, std::uint8_t> kSystem[] = {
        {"\\Answered", 1}, {"\\Flagged", 2}, {"\\Deleted", 4}, {"\\Seen", 8}, {"\\Draft", 16}};
    if (word.starts_with('\\')) {
        for (const auto& [name, bit] : kSystem)
            if (equals_ignore_case(word, name)) {
                flags.system |= bit;
                return;
            }
        return fail("Invalid system flag " + to_upper(word));
    }
    if (word.find_first_of("%*]\\") != std::string_view::npos)
        return fail({ParseError::Kind::No, "CANNOT", "Invalid characters in keyword"});
    for (const std::string& keyword : flags.keywords)
        if (equals_ignore_case(keyword, word)) return;
    if (flags.keywords.size() == 1000) return fail("Too many flags");
    flags.keywords.emplace_back(word);
}

}  // namespace culver
