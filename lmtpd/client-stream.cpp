#include "lmtpd/client-stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "lib-service/tls-settings.h"

namespace culver {

Result<std::shared_ptr<TlsContext>> make_tls_context(const Settings& settings) {
    if (settings.string("ssl") == "no" || settings.string("ssl_cert").empty()) return nullptr;
    return TlsContext::create(tls_server_options(settings));
}

void ClientStream::close() {
    if (tls_ && fd_) tls_->shutdown();
    tls_.reset();
    fd_.reset();
}

void ClientStream::begin_tls(std::shared_ptr<TlsContext> context) {
    tls_ = std::make_unique<TlsStream>(std::move(context), fd_.get());
}

ClientStream::Outcome ClientStream::outcome(TlsStep step, Interest* wait) {
    switch (step) {
        case TlsStep::Done: return Outcome::Done;
        case TlsStep::WantRead: *wait = Interest::Read; return Outcome::Later;
        case TlsStep::WantWrite: *wait = Interest::Write; return Outcome::Later;
        case TlsStep::Closed: return Outcome::Closed;
        case TlsStep::Failed: break;
    }
    error_ = tls_->error();
    return Outcome::Failed;
}

ClientStream::Outcome ClientStream::handshake(Interest* wait) { return outcome(tls_->handshake(), wait); }

ClientStream::Outcome ClientStream::read(char* buffer, std::size_t size, std::size_t* got, Interest* wait) {
    if (tls_) return outcome(tls_->read(buffer, size, got), wait);
    const ssize_t n = ::recv(fd_.get(), buffer, size, MSG_DONTWAIT);
    *got = n > 0 ? static_cast<std::size_t>(n) : 0;
    if (n > 0) return Outcome::Done;
    if (n == 0) return Outcome::Closed;
    *wait = Interest::Read;
    if (errno == EAGAIN || errno == EINTR) return Outcome::Later;
    error_ = std::string("read() failed: ") + std::strerror(errno);
    return Outcome::Failed;
}

ClientStream::Outcome ClientStream::write(std::string_view bytes, std::size_t* taken, Interest* wait) {
    if (tls_) return outcome(tls_->write(bytes, taken), wait);
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    *taken = n > 0 ? static_cast<std::size_t>(n) : 0;
    if (n >= 0) return Outcome::Done;
    *wait = Interest::Write;
    if (errno == EAGAIN || errno == EINTR) return Outcome::Later;
    error_ = std::string("write() failed: ") + std::strerror(errno);
    return Outcome::Failed;
}

}  // namespace culver
