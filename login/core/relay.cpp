#include "login/core/relay.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace culver {
namespace {

constexpr std::size_t kBlock = 64 << 10;
// One block for all relays: this process has one thread, and what is left over after a call is kept by its relay.
char block[kBlock];

constexpr int kBlocksPerTurn = 4;  // then other connections have their turn

TlsStep step_of(ssize_t result) {
    if (result > 0) return TlsStep::Done;
    if (result == 0) return TlsStep::Closed;
    return errno == EAGAIN ? TlsStep::WantRead : TlsStep::Failed;
}

}  // namespace

TlsStep Relay::Half::read(char* buffer, std::size_t size, std::size_t* got) {
    if (tls) return tls->read(buffer, size, got);
    ssize_t n;
    do n = ::recv(fd.get(), buffer, size, 0);
    while (n < 0 && errno == EINTR);
    *got = n > 0 ? static_cast<std::size_t>(n) : 0;
    return step_of(n);
}

TlsStep Relay::Half::write(std::string_view bytes, std::size_t* taken) {
    if (tls) return tls->write(bytes, taken);
    ssize_t n;
    do n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    *taken = n > 0 ? static_cast<std::size_t>(n) : 0;
    return step_of(n);
}

void Relay::Half::end_of_input() {
    if (tls) tls->shutdown();
    ::shutdown(fd.get(), SHUT_WR);
}

Relay::Relay(EventLoop& loop, RelayEnd client, RelayEnd server, std::function<void(Relay&)> on_end,
             std::chrono::milliseconds linger)
    : loop_(loop), on_end_(std::move(on_end)), last_activity_(EventLoop::Clock::now()), linger_(linger) {
    client_.fd = std::move(client.fd);
    client_.tls = std::move(client.tls);
    server_.fd = std::move(server.fd);
    server_.tls = std::move(server.tls);
    loop_.watch(client_.fd.get(), Interest::Read, [this](Ready ready) { on_client(ready); });
    loop_.watch(server_.fd.get(), Interest::Read, [this](Ready ready) { on_server(ready); });
}

Relay::~Relay() {
    loop_.cancel(timer_);
    loop_.cancel(again_);
    if (ended_) return;
    loop_.unwatch(client_.fd.get());
    if (server_.watched) loop_.unwatch(server_.fd.get());
}

void Relay::start(std::string_view to_client, std::string_view to_server) {
    send(client_, to_client);
    if (!ended_) send(server_, to_server);
    if (!ended_) pump(server_, client_);
    if (!ended_) pump(client_, server_);
    if (!ended_) update_interest();
}

std::chrono::seconds Relay::idle() const {
    return std::chrono::duration_cast<std::chrono::seconds>(EventLoop::Clock::now() - last_activity_);
}

void Relay::on_client(Ready ready) {
    if (ready.writable || client_.tls_wants_write) {
        client_.tls_wants_write = false;
        if (send(client_, {})) pump(server_, client_);
    }
    if (!ended_ && ready.readable) pump(client_, server_);
    if (!ended_ && ready.hangup) end(Ending::ByClient);  // both directions are over, or the connection was reset
    if (!ended_) update_interest();
}

void Relay::on_server(Ready ready) {
    if (ready.hangup && std::exchange(server_.watched, false))
        loop_.unwatch(server_.fd.get());  // it would be reported for ever
    if (ready.writable || server_.tls_wants_write) {
        server_.tls_wants_write = false;
        if (send(server_, {})) pump(client_, server_);
    }
    if (!ended_ && ready.readable) pump(server_, client_);
    if (!ended_) update_interest();
}

// Until nothing more waits, or the other side takes no more.
void Relay::pump(Half& from, Half& to) {
    TlsStep step = TlsStep::Done;
    for (int turn = 0; step == TlsStep::Done && to.unsent.empty() && !from.has_ended; ++turn) {
        if (turn >= kBlocksPerTurn) return go_on_soon();
        std::size_t used = 0;
        do {
            std::size_t got = 0;
            step = from.read(block + used, kBlock - used, &got);
            used += got;
        } while (from.tls && step == TlsStep::Done && used < kBlock);
        if (used == 0) continue;
        last_activity_ = EventLoop::Clock::now();
        send(to, {block, used});
        if (ended_) return;
    }
    if (step == TlsStep::WantWrite) from.tls_wants_write = true;
    if (step == TlsStep::Closed || step == TlsStep::Failed) on_closed(from, step);
}

// What the TLS layer holds makes no descriptor readable, and nobody tells of one that is not watched any more.
void Relay::go_on_soon() {
    if (again_ == 0)
        again_ = loop_.after(std::chrono::milliseconds(0), [this] {
            again_ = 0;
            start();
        });
}

void Relay::on_closed(Half& side, TlsStep how) {
    const std::string error = how == TlsStep::Closed ? std::string()
                              : side.tls             ? side.tls->error()
                                                     : std::string(std::strerror(errno));
    if (&side == &server_) return end(Ending::ByServer, error);
    if (how == TlsStep::Failed) return end(Ending::ByClient, error);
    side.has_ended = true;
    ending_ = Ending::ByClient;
    if (server_.unsent.empty()) server_.end_of_input();  // the server sees the end and closes in its turn
    if (linger_.count() > 0) timer_ = loop_.after(linger_, [this] { end(Ending::ByClient); });
}

// Sends what is left over and then `bytes`; what does not go now is kept. True when nothing is left. After WantWrite
// OpenSSL wants to see the same bytes first: `unsent` has them.
bool Relay::send(Half& to, std::string_view bytes) {
    if (!to.unsent.empty()) {
        to.unsent += bytes;
        bytes = to.unsent;
    }
    while (!bytes.empty()) {
        std::size_t taken = 0;
        const TlsStep step = to.write(bytes, &taken);
        if (step == TlsStep::Done) {
            bytes.remove_prefix(taken);
            to.sent += taken;
            continue;
        }
        if (step == TlsStep::Closed || step == TlsStep::Failed) {
            if (&to == &client_) {
                end(Ending::ByClient, to.tls ? to.tls->error() : std::string());
                return false;
            }
            break;  // the server has closed: what the client still says interests nobody
        }
        if (step == TlsStep::WantWrite) to.tls_wants_write = true;
        to.unsent = std::string(bytes);
        return false;
    }
    const bool had_waited = !to.unsent.empty();
    to.unsent = {};  // gives the memory back
    if (had_waited && &to == &server_ && client_.has_ended) server_.end_of_input();
    return true;
}

void Relay::update_interest() {
    update_interest(client_, server_.unsent.empty() && !client_.has_ended);
    update_interest(server_, client_.unsent.empty());
}

void Relay::update_interest(Half& side, bool read) {
    const bool write = !side.unsent.empty() || side.tls_wants_write;
    const Interest wanted =
        read ? (write ? Interest::ReadWrite : Interest::Read) : (write ? Interest::Write : Interest::None);
    if (side.watched && wanted != side.interest) loop_.set_interest(side.fd.get(), side.interest = wanted);
}

void Relay::close() { end(Ending::Closed); }

void Relay::end(Ending ending, std::string error) {
    if (ended_) return;
    ended_ = true;
    loop_.cancel(timer_);
    loop_.cancel(again_);
    // A server that closes because the client did has not begun it.
    if (!client_.has_ended || ending == Ending::Closed) ending_ = ending;
    // Many close without a word of TLS before: that is no news.
    if (!client_.has_ended && error.find("unexpected eof") == std::string::npos) error_ = std::move(error);
    for (Half* side : {&client_, &server_}) {
        if (side->tls) side->tls->shutdown();
        if (side->watched) loop_.unwatch(side->fd.get());
        side->fd.reset();
        side->tls.reset();
    }
    on_end_(*this);
}

}  // namespace culver
