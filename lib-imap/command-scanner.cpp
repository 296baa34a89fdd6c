#include "lib-imap/command-scanner.h"

#include "lib-base/text.h"

namespace culver {

namespace {

// A '"' that was not closed on this line: then "{5}" at its end is not a literal but part of a broken string.
bool ends_inside_quotes(std::string_view line) {
    bool inside = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '"') inside = !inside;
        else if (inside && line[i] == '\\') ++i;
    }
    return inside;
}

}  // namespace

ScanResult CommandScanner::scan(std::string_view buffer) {
    if (waiting_) return found_;
    if (buffer.size() < line_begin_) return {};  // the literal's bytes are still coming
    const std::size_t lf = buffer.find('\n', position_ < line_begin_ ? line_begin_ : position_);
    const std::size_t line_end = lf == std::string_view::npos ? buffer.size() : lf;
    if (line_bytes_ + (line_end - line_begin_) > limits_.line)
        return {ScanResult::Kind::TooLong, line_end, line_end, 0, false};
    position_ = line_end;
    if (lf == std::string_view::npos) return {};
    std::string_view line = buffer.substr(line_begin_, lf - line_begin_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.ends_with('}')) {
        const ScanResult result = literal_found(line, line_begin_, lf);
        if (result.kind != ScanResult::Kind::NeedLine) return result;
    }
    return {ScanResult::Kind::Complete, lf + 1, line_begin_ + line.size(), 0, false};
}

ScanResult CommandScanner::literal_found(std::string_view line, std::size_t line_begin, std::size_t lf) {
    const std::size_t open = line.rfind('{');
    if (open == std::string_view::npos || ends_inside_quotes(line)) return {};
    std::string_view digits = line.substr(open + 1, line.size() - open - 2);
    const bool synchronising = !digits.ends_with('+');
    if (!synchronising) digits.remove_suffix(1);
    if (digits.empty()) return {};
    for (const char c : digits)
        if (c < '0' || c > '9') return {};
    // A number too large for 64 bits is a literal all the same: one that is too large.
    const std::uint64_t size = parse_uint64(digits).value_or(UINT64_MAX);
    found_ = {ScanResult::Kind::NeedLiteral, lf + 1, line_begin + line.size(), size, synchronising};
    if (size > limits_.literal || size > limits_.literals - literal_bytes_)
        found_.kind = ScanResult::Kind::LiteralTooLarge;
    line_bytes_ += line.size();
    waiting_ = true;
    return found_;
}

void CommandScanner::accept_literal() {
    waiting_ = false;
    literal_bytes_ += found_.literal_size;
    line_begin_ = position_ = found_.length + static_cast<std::size_t>(found_.literal_size);
}

void CommandScanner::reset() {
    const ScanLimits limits = limits_;
    *this = CommandScanner(limits);
}

void CommandScanner::resume_after_literal() {
    waiting_ = false;
    line_begin_ = position_ = 0;
}

}  // namespace culver
