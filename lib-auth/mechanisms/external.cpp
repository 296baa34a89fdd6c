// EXTERNAL (RFC 4422 appendix A): the client's certificate, which the login process has verified, says who it is.
#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
class External final : public Mechanism {
public:
    explicit External(const AuthRequest& request) : user_(request.valid_client_cert ? request.cert_username : "") {}

    SaslStep step(std::string_view message) override {
        // Never a name out of the message alone: a certificate without a user name lets nobody in.
        if (user_.empty()) return SaslStep::failure("no valid client certificate with a user name");
        if (message.find('\0') != message.npos) return SaslStep::failure("invalid input");
        return SaslStep::check_password(user_, message, "");
    }

private:
    std::string user_;
};
}  // namespace

std::unique_ptr<Mechanism> make_external(const AuthRequest& request, const AuthSettings&) {
    return std::make_unique<External>(request);
}

}  // namespace culver::mechanisms
