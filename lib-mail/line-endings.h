// Line endings: messages are stored with LF, CRLF or a mixture, and shown to every client with CRLF.
//
// The "CRLF form" of a message is its bytes with a CR put before every LF that has none. A bare CR stays as it is.
// Sizes and offsets in that form are called virtual: RFC822.SIZE, partial FETCH, the W= of a Maildir name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace culver {

// The size of the CRLF form: every bare LF counts two. `before` is the byte in front of `stored`, if there is one that
// matters (a piece that begins with LF behind a CR has no bare LF there).
std::uint64_t virtual_size(std::string_view stored, char before = '\0');

// How many LF are in `stored`.
std::uint64_t line_count(std::string_view stored);

std::string to_crlf(std::string_view stored);

// Every CRLF becomes LF; bare CR and bare LF stay.
std::string to_lf(std::string_view text);

// Reads the CRLF form of stored bytes piece by piece, in bounded memory. Does not own the bytes (usually mapped).
// Not shared between threads.
class CrlfReader {
public:
    explicit CrlfReader(std::string_view stored) : stored_(stored) {}

    // Moves `count` bytes of the CRLF form forward; less at the end. Returns how many.
    std::uint64_t skip(std::uint64_t count);

    // Appends at most `count` bytes of the CRLF form to `out`; returns how many, 0 only at the end (or for count 0).
    std::size_t read(std::string& out, std::size_t count);

    bool at_end() const { return next_ == stored_.size() && !pending_lf_; }

private:
    std::string_view stored_;
    std::size_t next_ = 0;     // first stored byte that was not handed out
    bool pending_lf_ = false;  // the CR made for stored_[next_ - 1] was handed out, its LF was not
};

// Bytes [from, from + count) of the CRLF form, appended to `out`; returns how many there were.
std::size_t append_crlf_slice(std::string_view stored, std::uint64_t from, std::size_t count, std::string& out);

}  // namespace culver
