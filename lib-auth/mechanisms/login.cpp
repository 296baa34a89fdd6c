// LOGIN (draft-murchison-sasl-login): "Username:", "Password:", each answered in the clear. Old, but Outlook's only
// one.
#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
constexpr std::size_t kPasswordLimit = 1024;

class Login final : public Mechanism {
public:
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
        if (message.size() > kPasswordLimit) return SaslStep::failure("password is longer than 1024 bytes");
        return SaslStep::check_password(user_, {}, message);
    }

private:
    bool asked_ = false;  // for the name
    std::string user_;
};
}  // namespace

std::unique_ptr<Mechanism> make_login(const AuthRequest&, const AuthSettings&) { return std::make_unique<Login>(); }

}  // namespace culver::mechanisms
