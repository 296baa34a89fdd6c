// ClientStream: the bytes to and from one client. Output blocks with back-pressure; input is taken from what has
// arrived, or waited for inside a command (APPEND, IDLE).
//
// Parked, it holds nothing but its descriptor: buffers are freed. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

// Told when the working thread is about to wait for a client, so that another thread can take its place.
class BlockingObserver {
public:
    virtual ~BlockingObserver() = default;
    virtual void begin_blocking() = 0;
    virtual void end_blocking() = 0;
};

class ClientStream {
public:
    enum class Gone { No, Closed, Error, InputTimeout, OutputTimeout };

    // `fd` is non-blocking. `observer` may be null and outlives the stream.
    ClientStream(UniqueFd fd, BlockingObserver* observer);

    int fd() const { return fd_.get(); }

    // ---- output
    std::string& out() { return out_; }
    void flush_if_large() {
        if (out_.size() >= kFlushSize) flush();
    }
    // Sends everything, waiting for the client as long as it reads something every 5 minutes. False: gone.
    bool flush();
    bool write_through(std::string_view bytes);

    // ---- input: bytes that have arrived and are not consumed yet
    std::string_view input() const { return std::string_view(in_).substr(in_begin_); }
    void consume(std::size_t size);
    // Put in front by the login process ("what the client has sent behind the login command").
    void prepend_input(std::string bytes);
    // Takes what has arrived, without waiting, at most until input() holds `limit` bytes. False: nothing new.
    bool read_available(std::size_t limit);
    // Waits until something arrives. False: gone (timeout included).
    bool read_blocking(std::size_t limit, std::chrono::milliseconds timeout);

    bool is_gone() const { return gone_ != Gone::No; }
    Gone gone() const { return gone_; }
    const std::string& gone_reason() const { return gone_reason_; }  // for the log; errno text, empty for a plain close
    void give_up(Gone why) {
        if (gone_ == Gone::No) gone_ = why;
    }

    // Frees the buffers (input that has not been consumed stays).
    void park();

    std::uint64_t bytes_in() const { return bytes_in_; }
    std::uint64_t bytes_out() const { return bytes_out_; }
    // Time spent waiting for the client since the last call.
    std::chrono::nanoseconds take_waited();

    static constexpr std::size_t kFlushSize = 32 * 1024;

private:
    bool send_all(std::string_view first, std::string_view second);
    void acknowledge_at_once();
    bool wait_for(short events, std::chrono::milliseconds timeout);
    void fail_with(int error_number);

    UniqueFd fd_;
    BlockingObserver* observer_;
    std::string in_, out_;
    std::size_t in_begin_ = 0;
    std::uint64_t bytes_in_ = 0, bytes_out_ = 0;
    std::chrono::nanoseconds waited_{0};
    Gone gone_ = Gone::No;
    std::string gone_reason_;
};

}  // namespace culver
