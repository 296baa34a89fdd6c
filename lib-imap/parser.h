// Parser: reads the arguments of one IMAP command and keeps its first error, so that a command reads like its ABNF:
//
//     in.space().mailbox(); in.space().mailbox(); in.end();
//
// The text is a whole command line, literals in place ("{5}\r\nhello"). It is cut into tokens first, without recursion;
// what is wrong there ("Missing ')'") comes before anything that a command finds wrong, as in Dovecot. After an error
// every function returns an empty value and moves nothing, so that a loop `while (in.more())` ends.
// No I/O; the text must outlive the parser, and string_views that it returns refer to that text. RFC 9051 §9.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-imap/sequence-set.h"

namespace culver {

// The beginning of a command line. `name` is in upper case; "uid fetch" becomes "UID FETCH".
struct CommandHead {
    std::string_view tag;
    std::string name;
    std::string_view arguments;  // all behind the name, with its leading blank
    // Not empty: what to say. Without a valid tag the answer is "* BAD Error in IMAP tag: Invalid tag", else
    // "<tag> BAD Error in IMAP command: Invalid command name".
    std::string_view error;
    bool tag_is_valid = false;
};
// `line` without its line end. Only splits: whether the command exists is the caller's business.
CommandHead split_command(std::string_view line);

struct ParseError {
    enum class Kind { Bad, No } kind = Kind::Bad;
    std::string code;  // response code without brackets, e.g. "BADCHARSET"; usually empty
    std::string text;  // "Invalid arguments"
};

// Flags as a client sends them. `system` has the bits of lib-storage's SystemFlag (\Answered 1, \Flagged 2, \Deleted 4,
// \Seen 8, \Draft 16).
struct FlagList {
    std::uint8_t system = 0;
    std::vector<std::string> keywords;  // as spelled by the client, no doubles (compared without case)
};

struct Date {  // a day without a zone
    int year = 0, month = 0, day = 0;
    // Days since 1970-01-01.
    std::int64_t days() const;
};

// "{123}" or "{123+}" at the very end of the text: the message of an APPEND, whose bytes the caller streams.
struct LiteralHeader {
    std::uint64_t size = 0;
    bool synchronising = true;
    bool binary = false;  // "~{...}"
};

class Parser {
public:
    static constexpr std::size_t kNestingLimit = 50;

    // `arguments` as split_command gives them, or a whole line for commands without a tag. NUL is refused everywhere.
    explicit Parser(std::string_view arguments);

    // --- the error -------------------------------------------------------------------------------------------------
    bool ok() const { return !error_; }
    // Only when !ok().
    const ParseError& error() const { return *error_; }
    // The first one stays.
    void fail(std::string_view text) { fail({ParseError::Kind::Bad, {}, std::string(text)}); }
    void fail(ParseError error);

    // --- where we are ----------------------------------------------------------------------------------------------
    // Another argument follows on this level (in this list, or at the end of the command). False after an error.
    bool more() const;
    // Something must follow: "Invalid arguments" otherwise, or `text`.
    Parser& space(std::string_view text = kInvalid);
    // Nothing may follow.
    void end(std::string_view text = kInvalid);

    enum class Token : std::uint8_t { Atom, Quoted, Literal, Binary, LiteralHeader, ListBegin, ListEnd, End };
    // What comes next, without reading it.
    Token peek() const;
    bool next_is_list() const { return ok() && peek() == Token::ListBegin; }
    // The next argument if it is an atom (as spelled), else empty.
    std::string_view peek_atom() const;
    // Reads the next argument if it is the atom `word`, whatever its case.
    bool skip_atom(std::string_view word);
    // Reads the next argument, a list as a whole, and forgets it.
    void skip();

    // --- words -----------------------------------------------------------------------------------------------------
    std::string_view atom(std::string_view text = kInvalid);  // as spelled
    std::string keyword(std::string_view text = kInvalid);    // an atom in upper case: a word of a command's grammar
    std::string astring(std::string_view text = kInvalid);    // atom, quoted or literal (NIL is the word "NIL")
    std::string string(std::string_view text = kInvalid);     // quoted or literal
    std::optional<std::string> nstring(std::string_view text = kInvalid);  // NIL is nothing
    // A mailbox name, decoded from modified UTF-7 to UTF-8 ("inbox" in any case becomes "INBOX"). A name that does not
    // decode is NO "Mailbox name is not valid mUTF-7". May be empty; what a name may contain is MailboxName's business.
    std::string mailbox(std::string_view text = kInvalid);
    // A list pattern: an astring in which % and * stay; decoded like mailbox().
    std::string list_mailbox(std::string_view text = kInvalid);

    // --- numbers, sets, dates --------------------------------------------------------------------------------------
    std::uint32_t number(std::string_view text = kInvalid);  // 0..2^32-1
    std::uint32_t nz_number(std::string_view text = kInvalid);
    std::uint64_t number64(std::string_view text = kInvalid);  // 0..2^63-1 (RFC 7162 mod-sequence-valzer)
    SequenceSet sequence_set();                                // "Invalid messageset"
    SequenceSet uid_set();                                     // "Invalid uidset"
    Date date(std::string_view text);                          // "1-Feb-1994", quoted or not
    // "17-Jul-1996 02:44:25 -0700" quoted: seconds since 1970. Error: `text`, by default Dovecot's for APPEND.
    std::int64_t date_time(std::string_view text = "Invalid internal date");
    LiteralHeader literal_header(std::string_view text = kInvalid);

    // --- lists -----------------------------------------------------------------------------------------------------
    //     in.open_list(); while (in.more()) words.push_back(in.atom()); in.close_list();
    Parser& open_list(std::string_view text = kInvalid);
    // Everything of the list must have been read.
    void close_list(std::string_view text = kInvalid);
    // One astring, or a list of astrings.
    std::vector<std::string> astrings(std::string_view text = kInvalid);

    // Flags: "(\Seen $Label1)", or the same without parentheses up to the end of this level. \Recent and unknown system
    // flags are "Invalid system flag \FOO"; keywords with characters no client could read back are NO [CANNOT].
    FlagList flags();

    static constexpr std::string_view kInvalid = "Invalid arguments";

private:
    struct Item {
        Token token;
        bool escaped;  // quoted, with backslashes in it
        bool synchronising;
        std::uint32_t begin;  // of the content
        std::uint32_t length;
    };
    struct Tokenizer;

    std::string_view content(const Item& item) const { return text_.substr(item.begin, item.length); }
    std::string value(const Item& item) const;  // unescaped
    const Item* next(std::string_view text);
    FlagList flag_words();
    void add_flag(std::string_view word, FlagList& flags);

    std::string_view text_;
    std::vector<Item> items_;  // ends with Token::End
    std::size_t position_ = 0;
    std::optional<ParseError> error_;
};

}  // namespace culver
