// EXTERNAL (RFC 4422 appendix A): the client's certificate, which the login process has verified, says who it is.
#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
class External final : public Mechanism {
public:
    External(const AuthRequest& request, const AuthSettings& settings)
        : user_(request.valid_client_cert && settings.ssl_username_from_cert ? request.cert_username : "") {}

    SaslStep step(std::string_view message) override {
        // Never a name out of the message alone: a certificate without a user name lets nobody in.
        if (user_.empty())
            return SaslStep::failure(
                "no valid client certificate with a user name, or auth_ssl_username_from_cert is not yes");
        if (message.find('\0') != message.npos) return SaslStep::failure("invalid input");
        return SaslStep::check_password(user_, message, "");
    }

private:
    std::string user_;
};
}  // namespace

std::unique_ptr<Mechanism> make_external(const AuthRequest& request, const AuthSettings& settings) {
    return std::make_unique<External>(request, settings);
}

}  // namespace culver::mechanisms
