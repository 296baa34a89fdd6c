#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib-base/assert.h"
#include "lib-base/text.h"
#include "lib-net/tls-error.h"
#include "lib-net/tls.h"

namespace culver {

std::string tls_error_text() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "unknown error";
    char buffer[256];
    ERR_error_string_n(code, buffer, sizeof buffer);
    return buffer;
}

TlsStream::TlsStream(std::shared_ptr<TlsContext> context, int fd) : context_(std::move(context)) {
    ssl_ = SSL_new(context_->native());
    ASSERT(ssl_ && SSL_set_fd(ssl_, fd) == 1);
    SSL_set_app_data(ssl_, this);
    SSL_set_accept_state(ssl_);
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

TlsStep TlsStream::step(int result, const char* what) {
    if (result > 0) return TlsStep::Done;
    const int saved = errno;
    switch (SSL_get_error(ssl_, result)) {
        case SSL_ERROR_WANT_READ: return TlsStep::WantRead;
        case SSL_ERROR_WANT_WRITE: return TlsStep::WantWrite;
        case SSL_ERROR_ZERO_RETURN: return TlsStep::Closed;
        case SSL_ERROR_SYSCALL:
            error_ = std::string(what) + " failed: " + (saved ? std::strerror(saved) : "Connection closed");
            ERR_clear_error();
            return TlsStep::Failed;
        default: error_ = std::string(what) + " failed: " + tls_error_text(); return TlsStep::Failed;
    }
}

TlsStep TlsStream::handshake() {
    ERR_clear_error();
    errno = 0;
    return step(SSL_do_handshake(ssl_), "SSL_accept()");
}

TlsStep TlsStream::read(char* buffer, std::size_t size, std::size_t* got) {
    ERR_clear_error();
    errno = 0;
    *got = 0;
    return step(SSL_read_ex(ssl_, buffer, size, got), "SSL_read()");
}

TlsStep TlsStream::write(std::string_view bytes, std::size_t* taken) {
    ERR_clear_error();
    errno = 0;
    *taken = 0;
    return step(SSL_write_ex(ssl_, bytes.data(), bytes.size(), taken), "SSL_write()");
}

void TlsStream::shutdown() {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
    ERR_clear_error();
}

std::string TlsStream::description() const {
    int all_bits = 0;
    const int bits = SSL_get_cipher_bits(ssl_, &all_bits);
    return std::string(SSL_get_version(ssl_)) + " with cipher " + SSL_get_cipher_name(ssl_) + " (" + std::to_string(bits) + "/" +
           std::to_string(all_bits) + " bits)";
}

std::string TlsStream::server_name() const {
    const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    if (!name) return {};
    const std::string text = to_lower(name);
    const bool is_name = text.size() <= 255 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
    return is_name ? text : std::string();
}

}  // namespace culver
