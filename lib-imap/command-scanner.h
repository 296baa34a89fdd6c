// CommandScanner: says whether a whole command has arrived, looking at each byte once. For login and imapd.
//
// Feed it the same growing buffer, which begins with the command's first byte. It stops at every literal, so that the
// caller can send "+ OK", refuse it, or (APPEND) take its bytes itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace culver {

struct ScanLimits {
    std::size_t line = 64 * 1024;          // all lines of the command together, literals not counted
    std::uint64_t literal = 64 * 1024;     // one literal
    std::uint64_t literals = 1024 * 1024;  // all literals of the command
};

struct ScanResult {
    enum class Kind {
        NeedLine,     // read more
        NeedLiteral,  // a literal of `literal_size` bytes is announced; its bytes begin at `length`; accept_literal()
        Complete,     // the command takes `length` bytes, its line end included
        TooLong,      // the line is longer than allowed
        LiteralTooLarge,  // like NeedLiteral, but over a limit: accept_literal() must not be called
    } kind = Kind::NeedLine;
    std::size_t length = 0;       // see above
    std::size_t text_length = 0;  // Complete: without the line end. NeedLiteral: up to and including "}"
    std::uint64_t literal_size = 0;
    bool synchronising = true;  // the client waits for "+ OK"
};

class CommandScanner {
public:
    explicit CommandScanner(ScanLimits limits = {}) : limits_(limits) {}

    // `buffer`: everything from the command's first byte on. Ends a line at LF, with or without CR before it.
    // NeedLiteral is returned until accept_literal() is called, then NeedLine until the bytes are there.
    ScanResult scan(std::string_view buffer);
    // The literal's bytes may come into the buffer; scanning goes on behind them.
    void accept_literal();
    // The next command begins at the buffer's start.
    void reset();
    // For APPEND, whose caller took the literal's bytes away: the buffer now begins right behind them, and the command
    // goes on there (a blank or ")" or the line end).
    void resume_after_literal();

private:
    ScanResult literal_found(std::string_view line, std::size_t line_begin, std::size_t lf);

    ScanLimits limits_;
    std::size_t position_ = 0;    // first byte not looked at
    std::size_t line_begin_ = 0;  // where the current line began
    std::size_t line_bytes_ = 0;  // of the finished lines of this command
    std::uint64_t literal_bytes_ = 0;
    bool waiting_ = false;  // for accept_literal
    ScanResult found_;
};

}  // namespace culver
