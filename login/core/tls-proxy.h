// TlsProxy: a logged-in TLS connection that stays in the login process; the mail process has the other end of a pair.
//
// Moves large blocks in both directions. An idle proxy holds no buffers. A side that does not take what it is given is
// waited for, and meanwhile nothing more is read for it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib-base/unique-fd.h"
#include "lib-net/event-loop.h"
#include "lib-net/tls.h"

namespace culver {

class TlsProxy {
public:
    // `client`: the socket under `tls`, which has finished its handshake. `mail`: our end of the pair, non-blocking.
    // `on_end` is called once, when both directions are over; the proxy may be destroyed some time after.
    TlsProxy(EventLoop& loop, UniqueFd client, std::unique_ptr<TlsStream> tls, UniqueFd mail,
             std::function<void(TlsProxy&)> on_end);
    ~TlsProxy();

    // Looks at what waits already: inside the TLS layer bytes make no descriptor readable.
    void start();
    // Ends the connection now.
    void close();

private:
    void on_client(Ready ready);
    void on_mail(Ready ready);
    void client_to_mail();
    void mail_to_client();
    bool send_to_mail(std::string_view bytes);
    bool send_to_client(std::string_view bytes);
    void update_interest();
    void end();

    EventLoop& loop_;
    UniqueFd client_, mail_;
    std::unique_ptr<TlsStream> tls_;
    std::function<void(TlsProxy&)> on_end_;
    std::string to_mail_, to_client_;  // what could not be written at once
    Interest client_interest_ = Interest::Read, mail_interest_ = Interest::Read;
    bool tls_wants_write_ = false, client_ended_ = false, mail_watched_ = true, ended_ = false;
};

}  // namespace culver
