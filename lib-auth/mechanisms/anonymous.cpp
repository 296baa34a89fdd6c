// ANONYMOUS (RFC 4505): everybody, as auth_anonymous_username. The client's trace goes to the log at most.
#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
class Anonymous final : public Mechanism {
public:
    explicit Anonymous(const AuthSettings& settings) : user_(settings.anonymous_username) {}
    SaslStep step(std::string_view) override {
        return user_.empty() ? SaslStep::failure("auth_anonymous_username is empty") : SaslStep::success(user_);
    }

private:
    std::string user_;
};
}  // namespace

std::unique_ptr<Mechanism> make_anonymous(const AuthRequest&, const AuthSettings& settings) {
    return std::make_unique<Anonymous>(settings);
}

}  // namespace culver::mechanisms
