// check_settings: certificates and keys as files that OpenSSL has written.
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "config-fixture.h"

namespace culver {
namespace {

class CheckSsl : public ConfigTest {
protected:
    // Writes NAME.key and NAME.pem, valid from one day ago until `days` from now.
    void make_pair(const std::string& name, int days) {
        EVP_PKEY* key = EVP_EC_gen("P-256");
        X509* cert = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
        X509_gmtime_adj(X509_getm_notBefore(cert), days < 0 ? -86400L * 10 : -86400L);
        X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * days + 3600);
        X509_set_pubkey(cert, key);
        X509_sign(cert, key, EVP_sha256());
        std::FILE* file = std::fopen(path(name + ".key").c_str(), "w");
        PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(file);
        file = std::fopen(path(name + ".pem").c_str(), "w");
        PEM_write_X509(file, cert);
        std::fclose(file);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    std::string found(const std::string& cert, const std::string& key) {
        auto s = settings("protocols = imap\nssl_cert = <" + cert + "\nssl_key = <" + key + "\n");
        std::string out;
        for (const auto& each : check_settings(*s))
            if (each.text.find("ssl") != std::string::npos || each.text.find("SSL") != std::string::npos)
                out += std::to_string(each.where.line) + ": " + each.text + "\n";
        return out;
    }
};

TEST_F(CheckSsl, APairIsFine) {
    make_pair("a", 100);
    EXPECT_EQ(found("a.pem", "a.key"), "");
}

TEST_F(CheckSsl, ClientCertificatesThatCannotWorkAreNamed) {
    make_pair("a", 100);
    struct {
        std::string text, finding;
    } cases[] = {
        {"ssl_verify_client_cert = yes\n", "ssl_verify_client_cert set, but ssl_ca not"},
        {"ssl_verify_client_cert = yes\nssl_ca = <a.pem\nssl_cert_username_field = nonsense\n",
         "Invalid cert_username_field: nonsense"},
        {"auth_ssl_require_client_cert = yes\n",
         "auth_ssl_require_client_cert is set, but no client is asked for a certificate"},
        {"ssl_verify_client_cert = yes\nssl_ca = <a.pem\nssl_cert_username_field = emailAddress\n", ""},
    };
    for (const auto& c : cases) {
        std::string out;
        auto s = settings("protocols = imap\nssl_cert = <a.pem\nssl_key = <a.key\n" + c.text);
        for (const auto& each : check_settings(*s))
            if (each.text.find("cert_username") != each.text.npos || each.text.find("client") != each.text.npos)
                out += each.text;
        EXPECT_EQ(out, c.finding);
    }
}

TEST_F(CheckSsl, AKeyOfAnotherCertificateIsNamedWithItsLine) {
    make_pair("a", 100);
    make_pair("b", 100);
    EXPECT_EQ(found("a.pem", "b.key"),
              "3: Can't load SSL private key (ssl_key setting): Key is for a different cert than ssl_cert\n");
}

TEST_F(CheckSsl, AnExpiredCertificateIsNamedAndOneThatIsAboutToBe) {
    make_pair("old", -5);
    EXPECT_NE(found("old.pem", "old.key").find("2: ssl_cert: the certificate in old.pem expired"), std::string::npos);
    make_pair("soon", 3);
    EXPECT_EQ(found("soon.pem", "soon.key"), "2: ssl_cert: the certificate in soon.pem expires in 3 days\n");
}

TEST_F(CheckSsl, FilesOfTheWrongKindAreNamed) {
    make_pair("a", 100);
    EXPECT_NE(found("a.key", "a.key").find("2: Can't load SSL certificate (ssl_cert setting)"), std::string::npos);
    EXPECT_NE(found("a.pem", "a.pem")
                  .find("3: Can't load SSL private key (ssl_key setting): there is no valid PEM private key"),
              std::string::npos);
}

}  // namespace
}  // namespace culver
