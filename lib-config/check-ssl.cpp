// check_settings: certificates and keys, read as the login process will read them.
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "lib-base/text.h"
#include "lib-config/checks.h"
#include "lib-config/settings-data.h"

namespace culver::config {

namespace {

template <auto function>
struct Freer {
    void operator()(auto* object) const { function(object); }
};
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Memory = std::unique_ptr<BIO, Freer<BIO_free>>;

Memory memory(const std::string& text) { return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

int give_password(char* buffer, int size, int, void* password) {
    const auto& text = *static_cast<const std::string*>(password);
    int length = std::min(size, static_cast<int>(text.size()));
    text.copy(buffer, static_cast<std::size_t>(length));
    return length;
}

struct Pair {
    const Value* cert = nullptr;
    const Value* key = nullptr;
    std::string cert_name = "ssl_cert", key_name = "ssl_key";
    std::string password;
};

class SslCheck {
public:
    SslCheck(const Config& config, Findings& out) : config_(config), out_(out) {}

    void check(const Pair& pair) {
        bool has_cert = pair.cert != nullptr && !pair.cert->shown().empty();
        bool has_key = pair.key != nullptr && !pair.key->shown().empty();
        if (!has_cert || !has_key) {
            if (has_cert)
                out_.error(config_.origin(pair.cert->place),
                           fmt::format("{} is set, but {} is not", pair.cert_name, pair.key_name),
                           fmt::format("write {} = </path/of/the/key.pem", pair.key_name));
            else if (has_key)
                out_.error(config_.origin(pair.key->place),
                           fmt::format("{} is set, but {} is not", pair.key_name, pair.cert_name),
                           fmt::format("write {} = </path/of/the/certificate.pem", pair.cert_name));
            return;
        }
        if (!is_content(*pair.cert, pair.cert_name) || !is_content(*pair.key, pair.key_name)) return;
        auto cert = read_certificate(*pair.cert, pair.cert_name);
        auto key = read_key(pair);
        if (cert) check_dates(*pair.cert, pair.cert_name, cert.get());
        if (cert && key && X509_check_private_key(cert.get(), key.get()) != 1)
            out_.error(config_.origin(pair.key->place),
                       fmt::format("Can't load SSL private key ({} setting): Key is for a different cert than {}",
                                   pair.key_name, pair.cert_name),
                       fmt::format("make {} and {} name files that were made together", pair.cert_name, pair.key_name));
        ERR_clear_error();
    }

private:
    // False if the value is a path without '<', or the file could not be read.
    bool is_content(const Value& value, const std::string& name) {
        if (value.text.starts_with('/')) {
            out_.error(config_.origin(value.place),
                       fmt::format("{}: There is no valid PEM certificate or key in the value "
                                   "itself (you probably forgot '<')",
                                   name),
                       fmt::format("write {} = <{}", name, value.text));
            return false;
        }
        if (value.text.empty() && value.written.starts_with('<')) {
            out_.error(config_.origin(value.place),
                       fmt::format("{}: Can't open file {}: Permission denied", name, value.written.substr(1)),
                       "start the server as root, or make the file readable for the user who starts it");
            return false;
        }
        return true;
    }

    Certificate read_certificate(const Value& value, const std::string& name) {
        auto in = memory(value.text);
        Certificate cert(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
        if (!cert)
            out_.error(config_.origin(value.place),
                       fmt::format("Can't load SSL certificate ({} setting): There is no valid PEM "
                                   "certificate in {}",
                                   name, value.shown().substr(0, 200)),
                       "name a file that begins with -----BEGIN CERTIFICATE-----");
        return cert;
    }

    Key read_key(const Pair& pair) {
        auto in = memory(pair.key->text);
        Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, give_password, const_cast<std::string*>(&pair.password)));
        if (key) return key;
        bool encrypted = pair.key->text.find("ENCRYPTED") != std::string::npos;
        std::string file = pair.key->written.starts_with('<') ? pair.key->written.substr(1) : "the value";
        out_.error(config_.origin(pair.key->place),
                   fmt::format("Can't load SSL private key ({} setting): {}", pair.key_name,
                               encrypted ? "the key in " + file + " is encrypted, and ssl_key_password does not open it"
                                         : "there is no valid PEM private key in " + file),
                   encrypted ? "write ssl_key_password = </path/of/a/file/with/the/password"
                             : "name a file that begins with -----BEGIN PRIVATE KEY-----");
        return nullptr;
    }

    void check_dates(const Value& value, const std::string& name, X509* cert) {
        int days = 0, seconds = 0;
        if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(cert)) != 1) return;
        std::string file = value.written.starts_with('<') ? value.written.substr(1) : name;
        if (days < 0 || seconds < 0)
            out_.error(config_.origin(value.place),
                       fmt::format("{}: the certificate in {} expired {} days ago", name, file, -days),
                       "renew it and run doveadm reload");
        else if (days < 7)
            out_.warning(config_.origin(value.place),
                         fmt::format("{}: the certificate in {} expires in {} days", name, file, days),
                         "renew it and run doveadm reload");
        if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
            out_.error(config_.origin(value.place),
                       fmt::format("{}: the certificate in {} is not valid yet", name, file),
                       "check the clock of this machine");
    }

    const Config& config_;
    Findings& out_;
};

const Value* find_in(const Block& root, std::string_view name) {
    return root.find(*find_setting(BlockKind::Root, name));
}

void check_client_certificates(const Settings& settings, Findings& out) {
    const bool asks = settings.boolean("ssl_verify_client_cert");
    if (asks && settings.string("ssl_ca").empty())
        out.error(settings.origin("ssl_verify_client_cert"), "ssl_verify_client_cert set, but ssl_ca not",
                  "write ssl_ca = </path/of/authorities.pem, with their revocation lists");
    const std::string& field = settings.string("ssl_cert_username_field");
    if (asks && OBJ_txt2nid(field.c_str()) == NID_undef)
        out.error(settings.origin("ssl_cert_username_field"), fmt::format("Invalid cert_username_field: {}", field),
                  "write commonName, emailAddress, x500UniqueIdentifier or another field of a subject");
    ERR_clear_error();
    for (const char* name : {"auth_ssl_require_client_cert", "auth_ssl_username_from_cert"})
        if (!asks && settings.boolean(name))
            out.warning(settings.origin(name), fmt::format("{} is set, but no client is asked for a certificate", name),
                        "write ssl_verify_client_cert = yes and ssl_ca = </path/of/authorities.pem");
}

void check_words(const Settings& settings, Findings& out) {
    const std::string& oldest = settings.string("ssl_min_protocol");
    bool known = false;
    for (std::string_view word : {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "ANY", "LATEST"}) known |= oldest == word;
    if (!known)
        out.error(settings.origin("ssl_min_protocol"), fmt::format("Unknown ssl_min_protocol setting '{}'", oldest),
                  "write TLSv1.2 or TLSv1.3");
    std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>> context(SSL_CTX_new(TLS_server_method()));
    const std::string& ciphers = settings.string("ssl_cipher_list");
    if (context && !ciphers.empty() && SSL_CTX_set_cipher_list(context.get(), ciphers.c_str()) != 1)
        out.error(settings.origin("ssl_cipher_list"),
                  fmt::format("Can't set cipher list to '{}' (ssl_cipher_list setting)", ciphers),
                  "remove the line, or write a list that `openssl ciphers -v LIST` accepts");
    const std::string& suites = settings.string("ssl_cipher_suites");
    if (context && !suites.empty() && SSL_CTX_set_ciphersuites(context.get(), suites.c_str()) != 1)
        out.error(settings.origin("ssl_cipher_suites"),
                  fmt::format("Can't set ciphersuites to '{}' (ssl_cipher_suites setting)", suites),
                  "remove the line, or name suites of TLS 1.3 such as TLS_AES_256_GCM_SHA384");
    ERR_clear_error();
}

}  // namespace

void check_ssl(const Settings& settings, Findings& out) {
    const std::string& mode = settings.string("ssl");
    auto protocols = settings.words("protocols");
    bool serves =
        std::ranges::any_of(protocols, [](const std::string& each) { return each != "lmtp" && each != "none"; });
    if (mode == "no") return;
    const Config& config = *settings.data().config;
    SslCheck check(config, out);
    const Block& global = config.scopes[0]->root;
    bool any_cert = false;
    for (const auto& scope : config.scopes) {
        const Block& root = scope->root;
        Pair pair;
        pair.cert = find_in(root, "ssl_cert");
        pair.key = find_in(root, "ssl_key");
        any_cert |= pair.cert != nullptr && !pair.cert->shown().empty();
        if (&root != &global && pair.cert == nullptr && pair.key == nullptr) continue;
        if (pair.cert == nullptr) pair.cert = find_in(global, "ssl_cert");
        if (pair.key == nullptr) pair.key = find_in(global, "ssl_key");
        const Value* password = find_in(root, "ssl_key_password");
        if (password == nullptr) password = find_in(global, "ssl_key_password");
        if (password != nullptr)
            pair.password = std::string(trim(std::string_view(password->text).substr(0, password->text.find('\n'))));
        check.check(pair);
    }
    Pair other{find_in(global, "ssl_alt_cert"), find_in(global, "ssl_alt_key"), "ssl_alt_cert", "ssl_alt_key", {}};
    check.check(other);
    if (!any_cert && serves) {
        std::string hint = "write ssl_cert = </path/of/certificate.pem and ssl_key = </path/of/key.pem" +
                           out.in_file("10-ssl.conf") + ", or ssl = no";
        if (mode == "required")
            out.error(settings.origin("ssl"), "ssl = required, but there is no ssl_cert: nobody can log in", hint);
        else
            out.warning(settings.origin("ssl"), "ssl = yes, but there is no ssl_cert: TLS does not work on any port",
                        hint);
    }
    check_words(settings, out);
    check_client_certificates(settings, out);
}

}  // namespace culver::config
