// DataReceiver: finds the end of a message behind DATA and takes the dot-stuffing away (RFC 5321 §4.5.2).
//
// Only CR LF '.' CR LF ends the data. A bare LF or a bare CR never begins or ends a line here, whatever stands around
// it, so that no two servers can disagree about where a message ends (docs/lmtp.md, "Smuggling"). A byte is looked at
// once; nothing is buffered.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace culver {

class DataReceiver {
public:
    using Sink = std::function<void(std::string_view)>;

    // Takes bytes from the front of `input`, hands the message's bytes to `sink` (pieces point into `input` or to
    // static storage), and returns how many were taken: all of them, or those up to the end of the data.
    std::size_t feed(std::string_view input, const Sink& sink);
    bool is_finished() const { return state_ == State::End; }

private:
    enum class State { LineStart, Text, Cr, Dot, DotCr, End };
    State state_ = State::LineStart;
};

}  // namespace culver
