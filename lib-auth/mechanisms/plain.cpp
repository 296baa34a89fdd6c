// PLAIN (RFC 4616): authzid NUL authcid NUL password, in one message.
#include <fmt/format.h>

#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
class Plain final : public Mechanism {
public:
    explicit Plain(std::size_t password_limit) : password_limit_(password_limit) {}

    SaslStep step(std::string_view message) override {
        std::size_t first = message.find('\0');
        if (first == message.npos) return SaslStep::failure("invalid input");
        std::string_view rest = message.substr(first + 1);
        std::size_t second = rest.find('\0');
        if (second == rest.npos) return SaslStep::failure("invalid input");
        std::string_view password = rest.substr(second + 1);
        // A third NUL would cut the password short somewhere behind us (security rule M2).
        if (password.find('\0') != password.npos) return SaslStep::failure("invalid input");
        if (password.size() > password_limit_)
            return SaslStep::failure(fmt::format("password is longer than {} bytes", password_limit_));
        return SaslStep::check_password(rest.substr(0, second), message.substr(0, first), password);
    }

private:
    const std::size_t password_limit_;
};
}  // namespace

std::unique_ptr<Mechanism> make_plain(const AuthRequest&, const AuthSettings& settings) {
    return std::make_unique<Plain>(settings.password_limit);
}

}  // namespace culver::mechanisms
