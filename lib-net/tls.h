// TLS: contexts from PEM text (OpenSSL 3) and streams on non-blocking sockets, for servers and for connections that
// this machine opens.
//
// Tuned for many idle connections: a stream that has nothing in flight holds no buffers; sessions are resumed with
// tickets, so the server keeps nothing for them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-base/secret-string.h"

struct ssl_st;
struct ssl_ctx_st;
struct x509_store_ctx_st;

namespace culver {

struct TlsServerOptions {
    std::string certificate;  // PEM: the server's certificate, then its chain
    SecretString key;         // PEM
    SecretString key_password;
    std::string alt_certificate;  // a second pair of another kind of key (RSA beside ECDSA); empty: none
    SecretString alt_key;
    std::string min_protocol = "TLSv1.2";  // TLSv1, TLSv1.1, TLSv1.2, TLSv1.3, ANY, LATEST
    std::string cipher_list;               // TLS 1.2 and older; empty: OpenSSL's
    std::string cipher_suites;             // TLS 1.3; empty: OpenSSL's
    std::string curve_list;                // empty: OpenSSL's
    std::string dh;                        // PEM of DH parameters; empty: no DHE
    bool prefer_server_ciphers = false;
    std::string client_ca;    // PEM: whom client certificates may be signed by, and CRLs; empty: none are asked for
    bool require_crl = true;  // a certificate without a current CRL of its issuers is not valid
    std::string cert_username_field = "commonName";  // of a client certificate's subject
    bool operator==(const TlsServerOptions& other) const;
};

struct TlsClientOptions {
    std::string authorities;  // PEM: whom servers may be signed by, and CRLs; empty: no certificate is good
    std::string min_protocol = "TLSv1.2", cipher_list, cipher_suites, curve_list;  // as above
    std::string certificate;                                                       // PEM, of our own; empty: none
    SecretString key;
};

// Immutable; the streams made from it keep it alive.
class TlsContext {
public:
    // Called with the name that the client sent (SNI, lower case); gives the context to use instead, or null for this
    // one.
    using ChooseByName = std::function<std::shared_ptr<TlsContext>(const std::string& name)>;

    // An Error's detail names the setting that is wrong, in Dovecot's words ("Can't load SSL private key (ssl_key
    // setting): Key is for a different cert than ssl_cert").
    static Result<std::shared_ptr<TlsContext>> create(const TlsServerOptions& options);
    // For TlsStream::connect.
    static Result<std::shared_ptr<TlsContext>> create_client(const TlsClientOptions& options);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    void choose_by_name(ChooseByName choose) { choose_ = std::move(choose); }
    ssl_ctx_st* native() const { return context_; }

private:
    friend class TlsStream;
    TlsContext() = default;
    static int on_server_name(ssl_st* ssl, int* alert, void* self);
    static int on_verify(int ok, x509_store_ctx_st* store);
    static int on_verify_server(int ok, x509_store_ctx_st* store);
    ssl_ctx_st* context_ = nullptr;
    int username_field_ = 0;  // NID of cert_username_field
    bool requires_crl_ = true;
    ChooseByName choose_;
};

// What the client showed of itself. A bad certificate does not end the handshake: whoever asks decides what it is
// worth.
enum class ClientCertificate {
    None,     // not asked for, or not sent
    Invalid,  // expired, revoked, of another authority ...: certificate_problem() says why
    Valid,
};

enum class TlsStep {
    Done,       // bytes moved, or the handshake is complete
    WantRead,   // wait until the socket is readable
    WantWrite,  // wait until the socket is writable
    Closed,     // the peer ended the connection properly
    Failed,     // error() says why
};

// Whether a server has to prove who it is.
enum class PeerCheck { None, Full };

// One end on a connected non-blocking socket, which stays the caller's. One thread.
class TlsStream {
public:
    // The server's end.
    TlsStream(std::shared_ptr<TlsContext> context, int fd);
    // The client's end, with a context of create_client. `host` is the name or the address that the server's
    // certificate has to be for; the handshake fails otherwise, and error() says why ("Received invalid SSL
    // certificate: certificate has expired: /CN=..").
    static std::unique_ptr<TlsStream> connect(std::shared_ptr<TlsContext> context, int fd, const std::string& host,
                                              PeerCheck check);
    ~TlsStream();
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    TlsStep handshake();
    // At most `size` bytes into `buffer`; `*got` says how many with Done. Read until WantRead: bytes may be waiting
    // inside.
    TlsStep read(char* buffer, std::size_t size, std::size_t* got);
    // Takes a part of `bytes`; `*taken` says how many with Done. After WantRead or WantWrite the same bytes must come
    // again.
    TlsStep write(std::string_view bytes, std::size_t* taken);
    // Sends close_notify, as far as the socket takes it.
    void shutdown();

    // "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", for %k in logs.
    std::string description() const;
    // The name that the client asked for (SNI), lower case, at most 255 bytes of letters, digits, '-', '_' and '.'; or
    // empty.
    std::string server_name() const;
    const std::string& error() const { return error_; }

    // After the handshake.
    ClientCertificate client_certificate() const;
    // Invalid: "certificate revoked: /CN=alice", in one line of printable ASCII; the subject is the client's own word.
    const std::string& certificate_problem() const { return certificate_problem_; }
    // cert_username_field of a valid certificate, in UTF-8, at most 255 bytes; empty when there is none or it has a
    // NUL.
    std::string certificate_username() const;

    // Channel bindings, raw bytes. Nothing below TLS 1.3 (docs/channel-binding.md).
    std::optional<std::string> tls_exporter() const;          // RFC 9266: 32 bytes
    std::optional<std::string> tls_server_end_point() const;  // RFC 5929 §4: hash of the certificate that was sent

private:
    friend class TlsContext;  // a name sent by the client may change the context
    TlsStream() = default;
    bool is_tls13() const;
    TlsStep step(int result, const char* what);
    std::shared_ptr<TlsContext> context_;  // shared with other streams and the cache of contexts
    ssl_st* ssl_ = nullptr;
    std::string error_, certificate_problem_;
    bool is_client_ = false;
    bool is_established_ = false;        // stays, unlike OpenSSL's own word, when the connection breaks later
    bool certificate_verified_ = false;  // the chain has been walked, with or without a problem
};

}  // namespace culver
