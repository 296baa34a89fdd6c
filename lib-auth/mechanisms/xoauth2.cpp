// XOAUTH2 (Google's, older than RFC 7628): an OAuth 2.0 token in place of a password, in one message.
#include "lib-auth/mechanisms/bearer-message.h"
#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
class XOAuth2 final : public BearerMechanism {
public:
    explicit XOAuth2(const AuthSettings& settings)
        : BearerMechanism(R"({"status":"401","schemes":"bearer","scope":"mail")", settings) {}

protected:
    BearerMessage parse(std::string_view message) const override { return parse_xoauth2(message); }
};
}  // namespace

std::unique_ptr<Mechanism> make_xoauth2(const AuthRequest&, const AuthSettings& settings) {
    return std::make_unique<XOAuth2>(settings);
}

}  // namespace culver::mechanisms
