#include "login/core/tls-proxy.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace culver {
namespace {

constexpr std::size_t kBlock = 64 << 10;
// One block for all proxies: this process has one thread, and what is left over after a call is kept by its proxy.
char block[kBlock];

constexpr int kBlocksPerTurn = 4;  // then other connections have their turn

}  // namespace

TlsProxy::TlsProxy(EventLoop& loop, UniqueFd client, std::unique_ptr<TlsStream> tls, UniqueFd mail,
                   std::function<void(TlsProxy&)> on_end)
    : loop_(loop),
      client_(std::move(client)),
      mail_(std::move(mail)),
      tls_(std::move(tls)),
      on_end_(std::move(on_end)) {
    loop_.watch(client_.get(), Interest::Read, [this](Ready ready) { on_client(ready); });
    loop_.watch(mail_.get(), Interest::Read, [this](Ready ready) { on_mail(ready); });
}

TlsProxy::~TlsProxy() {
    if (ended_) return;
    loop_.unwatch(client_.get());
    if (mail_watched_) loop_.unwatch(mail_.get());
}

void TlsProxy::start() {
    client_to_mail();
    if (!ended_) update_interest();
}

void TlsProxy::on_client(Ready ready) {
    if (ready.writable || tls_wants_write_) {
        tls_wants_write_ = false;
        if (send_to_client({})) mail_to_client();
    }
    if (!ended_ && ready.readable) client_to_mail();
    if (!ended_ && ready.hangup) end();  // both directions are over, or the connection was reset
    if (!ended_) update_interest();
}

void TlsProxy::on_mail(Ready ready) {
    if (ready.hangup && std::exchange(mail_watched_, false))
        loop_.unwatch(mail_.get());  // it would be reported for ever
    if (ready.writable && send_to_mail({})) client_to_mail();
    if (!ended_ && ready.readable) mail_to_client();
    if (!ended_) update_interest();
}

void TlsProxy::client_to_mail() {
    TlsStep step = TlsStep::Done;
    while (step == TlsStep::Done && to_mail_.empty() && !client_ended_ && !ended_) {
        std::size_t used = 0;
        while (used < kBlock) {
            std::size_t got = 0;
            step = tls_->read(block + used, kBlock - used, &got);
            if (step != TlsStep::Done) break;
            used += got;
        }
        if (used > 0) send_to_mail({block, used});
    }
    if (step == TlsStep::WantWrite) tls_wants_write_ = true;
    if (ended_ || (step != TlsStep::Closed && step != TlsStep::Failed)) return;
    client_ended_ = true;
    if (step == TlsStep::Failed) return end();
    if (to_mail_.empty()) ::shutdown(mail_.get(), SHUT_WR);  // the mail process sees the end and closes in its turn
}

// Sends what is left over and then `bytes`; what does not go now is kept. True when nothing is left.
bool TlsProxy::send_to_mail(std::string_view bytes) {
    if (!to_mail_.empty()) {
        to_mail_ += bytes;
        bytes = to_mail_;
    }
    while (!bytes.empty()) {
        ssize_t n = ::send(mail_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            to_mail_ = std::string(bytes);
            return false;
        }
        if (n < 0) break;  // the mail process has closed: what the client still says interests nobody
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    to_mail_ = {};  // gives the memory back
    if (client_ended_) ::shutdown(mail_.get(), SHUT_WR);
    return true;
}

void TlsProxy::mail_to_client() {
    for (int turn = 0; to_client_.empty() && !ended_ && (turn < kBlocksPerTurn || !mail_watched_); ++turn) {
        ssize_t n = ::recv(mail_.get(), block, kBlock, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return end();
        if (!send_to_client({block, static_cast<std::size_t>(n)})) return;
    }
}

// The same in the other direction. After WantWrite OpenSSL wants to see the same bytes first: `to_client_` has them.
bool TlsProxy::send_to_client(std::string_view bytes) {
    if (!to_client_.empty()) {
        to_client_ += bytes;
        bytes = to_client_;
    }
    while (!bytes.empty()) {
        std::size_t taken = 0;
        const TlsStep step = tls_->write(bytes, &taken);
        if (step == TlsStep::Done) {
            bytes.remove_prefix(taken);
            continue;
        }
        if (step == TlsStep::Closed || step == TlsStep::Failed) {
            end();
            return false;
        }
        if (step == TlsStep::WantWrite) tls_wants_write_ = true;
        to_client_ = std::string(bytes);
        return false;
    }
    to_client_ = {};
    return true;
}

void TlsProxy::update_interest() {
    const bool client_read = to_mail_.empty() && !client_ended_, client_write = !to_client_.empty() || tls_wants_write_;
    const bool mail_read = to_client_.empty(), mail_write = !to_mail_.empty();
    auto interest = [](bool read, bool write) {
        return read ? (write ? Interest::ReadWrite : Interest::Read) : (write ? Interest::Write : Interest::None);
    };
    const Interest client = interest(client_read, client_write), mail = interest(mail_read, mail_write);
    if (client != client_interest_) loop_.set_interest(client_.get(), client_interest_ = client);
    if (mail_watched_ && mail != mail_interest_) loop_.set_interest(mail_.get(), mail_interest_ = mail);
}

void TlsProxy::close() { end(); }

void TlsProxy::end() {
    if (ended_) return;
    ended_ = true;
    tls_->shutdown();
    loop_.unwatch(client_.get());
    if (mail_watched_) loop_.unwatch(mail_.get());
    client_.reset();
    mail_.reset();
    on_end_(*this);
}

}  // namespace culver
