#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

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
    const TlsStep result = step(SSL_do_handshake(ssl_), is_client_ ? "SSL_connect()" : "SSL_accept()");
    if (is_client_ && result == TlsStep::Failed && !certificate_problem_.empty())
        error_ = "Received invalid SSL certificate: " + certificate_problem_;
    is_established_ = result == TlsStep::Done;
    return result;
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
    return std::string(SSL_get_version(ssl_)) + " with cipher " + SSL_get_cipher_name(ssl_) + " (" +
           std::to_string(bits) + "/" + std::to_string(all_bits) + " bits)";
}

std::string TlsStream::server_name() const {
    const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    if (!name) return {};
    const std::string text = to_lower(name);
    const bool is_name =
        text.size() <= 255 && std::ranges::all_of(text, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        });
    return is_name ? text : std::string();
}

ClientCertificate TlsStream::client_certificate() const {
    if (!is_established_ || !SSL_get0_peer_certificate(ssl_)) return ClientCertificate::None;
    return certificate_verified_ && certificate_problem_.empty() ? ClientCertificate::Valid
                                                                 : ClientCertificate::Invalid;
}

std::string TlsStream::certificate_username() const {
    if (client_certificate() != ClientCertificate::Valid) return {};
    X509_NAME* subject = X509_get_subject_name(SSL_get0_peer_certificate(ssl_));
    const int place = X509_NAME_get_index_by_NID(subject, context_->username_field_, -1);
    if (place < 0) return {};
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
    const std::string name = size > 0 ? std::string(reinterpret_cast<char*>(text), static_cast<std::size_t>(size)) : "";
    OPENSSL_free(text);
    ERR_clear_error();
    // What is behind a NUL is not cut off: "alice\0.evil.test" is nobody.
    return name.size() <= 255 && name.find('\0') == name.npos ? name : std::string();
}

bool TlsStream::is_tls13() const { return is_established_ && SSL_version(ssl_) >= TLS1_3_VERSION; }

std::optional<std::string> TlsStream::tls_exporter() const {
    static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    if (!is_tls13()) return std::nullopt;
    std::string bytes(32, '\0');
    // The context is an empty string, which in TLS 1.3 is the same as none.
    if (SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), kLabel.data(),
                                   kLabel.size(), reinterpret_cast<const unsigned char*>(""), 0, 1) == 1)
        return bytes;
    ERR_clear_error();
    return std::nullopt;
}

std::optional<std::string> TlsStream::tls_server_end_point() const {
    X509* own = is_tls13() ? SSL_get_certificate(ssl_) : nullptr;
    int hash = NID_undef;
    // A signature without a hash of its own (Ed25519) has no such binding.
    if (!own || X509_get_signature_info(own, &hash, nullptr, nullptr, nullptr) != 1 || hash == NID_undef)
        return std::nullopt;
    if (hash == NID_md5 || hash == NID_sha1) hash = NID_sha256;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const EVP_MD* algorithm = EVP_get_digestbynid(hash);
    if (algorithm && X509_digest(own, algorithm, bytes, &size) == 1)
        return std::string(reinterpret_cast<char*>(bytes), size);
    ERR_clear_error();
    return std::nullopt;
}

}  // namespace culver
