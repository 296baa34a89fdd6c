// LineConnection: a non-blocking stream of LF-ended lines on an EventLoop; both ends of the auth protocol stand on it.
//
// Bounded: a line longer than the limit closes the connection; while the peer does not read what was written, nothing
// more is read from it. What is written while lines are handled goes out in one write at the end of the batch.
// All calls on the loop's thread. Callbacks may close or destroy the connection.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib-base/unique-fd.h"
#include "lib-net/event-loop.h"

namespace culver {

class LineConnection {
public:
    enum class End { Eof, TooLong, Broken };
    struct Callbacks {
        // One line without its LF; valid during the call.
        std::function<void(std::string_view line)> on_line;
        // The peer is gone or was cut off; called at most once and never after close(). `text` says why, for the log.
        std::function<void(End end, const std::string& text)> on_end;
    };

    // `fd` is connected and non-blocking.
    LineConnection(EventLoop& loop, UniqueFd fd, std::size_t line_limit, Callbacks callbacks);
    ~LineConnection();
    LineConnection(const LineConnection&) = delete;
    LineConnection& operator=(const LineConnection&) = delete;

    // Whole lines with their LF. Never waits: what the socket does not take is kept. Nothing on a closed one.
    void write(std::string_view bytes);
    // Ends the connection at once, after trying to send what was written. No callback follows.
    void close();
    bool is_open() const;
    // Still owned by this object.
    int fd() const;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the loop's watch, which may run while the owner destroys this object
};

}  // namespace culver
