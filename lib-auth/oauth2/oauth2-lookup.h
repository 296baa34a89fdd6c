// OAuth2Lookup: asks whether a token (or, with the password grant, a password) is that of the user of a request: at the
// tokeninfo, introspection and grant URLs of the configuration, or by the token's own signature.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib-auth/auth-request.h"
#include "lib-auth/http/http-client.h"
#include "lib-auth/http/json.h"
#include "lib-auth/oauth2/jwt-keys.h"
#include "lib-auth/oauth2/oauth2-config.h"
#include "lib-auth/passdb.h"

namespace culver {

struct TokenAnswer {
    Verdict verdict = Verdict::Mismatch;  // Match; Disabled for a token of the right user that is not good for us
    std::string reason;                   // of a refusal, for the log
    std::string token;                    // the token that was accepted; with the password grant the one that it gave
    JsonObject fields;                    // what is known of it
};

class OAuth2Lookup {
public:
    // `certificate` and `key`: the texts of tls_cert_file and tls_key_file.
    OAuth2Lookup(OAuth2Config config, std::string certificate, std::string key);

    const OAuth2Config& config() const { return config_; }
    // True if no server has to be asked.
    bool is_local() const;
    // Blocks. An Error means "could not tell": a server that does not answer or not as it should, a key that cannot be
    // read. Thread-safe.
    Result<TokenAnswer> check(const AuthRequest& request, std::string_view password);

private:
    using Outcome = Result<TokenAnswer>;
    Outcome grant(const AuthRequest& request, std::string_view password);
    Outcome go_on(const AuthRequest& request, TokenAnswer so_far, std::string_view step);
    Outcome ask_tokeninfo(const AuthRequest& request, TokenAnswer so_far);
    Outcome introspect(const AuthRequest& request, TokenAnswer so_far);
    Outcome validate_locally(const AuthRequest& request, TokenAnswer so_far);
    Outcome judge(const AuthRequest& request, TokenAnswer answer, std::string_view step) const;
    std::string activity_problem(const JsonObject& fields) const;
    std::string scope_problem(const JsonObject& fields) const;
    Result<HttpResponse> send(const AuthRequest& request, HttpRequest http, const std::string* bearer);
    std::string client_parameters() const;
    void debug(const AuthRequest& request, std::string_view text) const;

    const OAuth2Config config_;
    HttpClient client_;
    JwtKeys keys_;
};

}  // namespace culver
