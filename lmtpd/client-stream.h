// ClientStream: a client's socket, in the clear or, once the handshake is done, under TLS. Never waits.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"
#include "lib-net/event-loop.h"
#include "lib-net/tls.h"

namespace culver {

// The context for `ssl_cert` and `ssl_key`; null if TLS is off or no certificate is set. An error names the setting.
Result<std::shared_ptr<TlsContext>> make_tls_context(const Settings& settings);

class ClientStream {
public:
    explicit ClientStream(UniqueFd fd) : fd_(std::move(fd)) {}
    int fd() const { return fd_.get(); }
    bool is_tls() const { return static_cast<bool>(tls_); }
    void close();

    enum class Outcome { Done, Later, Closed, Failed };
    // Later: `*wait` says for what to wait. Failed: error() says why.
    Outcome read(char* buffer, std::size_t size, std::size_t* got, Interest* wait);
    Outcome write(std::string_view bytes, std::size_t* taken, Interest* wait);
    // From here on everything is TLS; `handshake` is called until it gives Done.
    void begin_tls(std::shared_ptr<TlsContext> context);
    Outcome handshake(Interest* wait);
    const std::string& error() const { return error_; }

private:
    Outcome outcome(TlsStep step, Interest* wait);
    UniqueFd fd_;
    std::unique_ptr<TlsStream> tls_;
    std::string error_;
};

}  // namespace culver
