// OAUTHBEARER (RFC 7628): an OAuth 2.0 token in place of a password, in one message. A client whose token is refused
// hears why in JSON, answers with a dummy, and then the exchange fails.
#include "lib-auth/mechanisms/bearer-message.h"
#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
class OAuthBearer final : public BearerMechanism {
public:
    explicit OAuthBearer(const AuthSettings& settings) : BearerMechanism(R"({"status":"invalid_token")", settings) {}

protected:
    BearerMessage parse(std::string_view message) const override { return parse_oauthbearer(message); }
};
}  // namespace

std::unique_ptr<Mechanism> make_oauthbearer(const AuthRequest&, const AuthSettings& settings) {
    return std::make_unique<OAuthBearer>(settings);
}

}  // namespace culver::mechanisms
