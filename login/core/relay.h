// Relay: two connections that belong together, each in the clear or under TLS. What one says goes to the other.
//
// The server is a mail process of this machine (its end of a socket pair) or a server elsewhere (login/core/backend.h).
// Moves large blocks in both directions. An idle relay holds no buffers. A side that does not take what it is given is
// waited for, and meanwhile nothing more is read for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib-base/unique-fd.h"
#include "lib-net/event-loop.h"
#include "lib-net/tls.h"

namespace culver {

struct RelayEnd {
    UniqueFd fd;                          // connected, non-blocking, not watched by anybody
    std::unique_ptr<TlsStream> tls = {};  // on `fd`, with its handshake done; null: in the clear
};

class Relay {
public:
    enum class Ending { ByClient, ByServer, Closed };

    // `on_end` is called once, when both directions are over; the relay may be destroyed some time after. A client that
    // has closed leaves the server `linger` to do the same (0: as long as it likes).
    Relay(EventLoop& loop, RelayEnd client, RelayEnd server, std::function<void(Relay&)> on_end,
          std::chrono::milliseconds linger = {});
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // Sends what was read for either side before, and looks at what waits already: inside the TLS layer bytes make no
    // descriptor readable.
    void start(std::string_view to_client = {}, std::string_view to_server = {});
    // To a server elsewhere, which does not end with this one.
    bool is_to_backend() const { return linger_.count() > 0; }
    // Ends both connections now.
    void close();

    // For the log, `on_end` included.
    Ending ending() const { return ending_; }
    const std::string& error() const { return error_; }  // empty: the connection was closed in the usual way
    std::uint64_t bytes_to_client() const { return client_.sent; }
    std::uint64_t bytes_to_server() const { return server_.sent; }
    std::chrono::seconds idle() const;

private:
    struct Half {
        UniqueFd fd;
        std::unique_ptr<TlsStream> tls;
        std::string unsent;  // what could not be written to it at once
        std::uint64_t sent = 0;
        Interest interest = Interest::Read;
        bool tls_wants_write = false, has_ended = false, watched = true;

        TlsStep read(char* buffer, std::size_t size, std::size_t* got);
        TlsStep write(std::string_view bytes, std::size_t* taken);
        void end_of_input();
    };

    void on_client(Ready ready);
    void on_server(Ready ready);
    void pump(Half& from, Half& to);
    bool send(Half& to, std::string_view bytes);
    void go_on_soon();
    void on_closed(Half& side, TlsStep how);
    void update_interest();
    void update_interest(Half& side, bool read);
    void end(Ending ending, std::string error = {});

    EventLoop& loop_;
    Half client_, server_;
    std::function<void(Relay&)> on_end_;
    std::string error_;
    EventLoop::Clock::time_point last_activity_;
    EventLoop::TimerId timer_ = 0, again_ = 0;
    std::chrono::milliseconds linger_;
    Ending ending_ = Ending::Closed;
    bool ended_ = false;
};

}  // namespace culver
