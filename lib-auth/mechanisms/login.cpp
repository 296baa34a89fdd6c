// LOGIN (draft-murchison-sasl-login): "Username:", "Password:", each answered in the clear. Old, but Outlook's only
// one.
#include <fmt/format.h>

#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
class Login final : public Mechanism {
public:
    explicit Login(std::size_t password_limit) : password_limit_(password_limit) {}

    SaslStep start() override {
        asked_ = true;
        return SaslStep::challenge("Username:");
    }

    SaslStep step(std::string_view message) override {
        if (message.empty() && !asked_) return start();
        if (message.find('\0') != message.npos) return SaslStep::failure("invalid input");
        if (user_.empty()) {
            if (message.empty()) return SaslStep::check_password("", {}, "");  // refused for its name
            user_ = message;
            return SaslStep::challenge("Password:");
        }
        if (message.size() > password_limit_)
            return SaslStep::failure(fmt::format("password is longer than {} bytes", password_limit_));
        return SaslStep::check_password(user_, {}, message);
    }

private:
    bool asked_ = false;  // for the name
    const std::size_t password_limit_;
    std::string user_;
};
}  // namespace

std::unique_ptr<Mechanism> make_login(const AuthRequest&, const AuthSettings& settings) {
    return std::make_unique<Login>(settings.password_limit);
}

}  // namespace culver::mechanisms
