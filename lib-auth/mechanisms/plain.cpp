// PLAIN (RFC 4616): authzid NUL authcid NUL password, in one message.
#include "lib-auth/mechanisms/makers.h"

namespace culver::mechanisms {

namespace {
constexpr std::size_t kPasswordLimit = 1024;

class Plain final : public Mechanism {
public:
    SaslStep step(std::string_view message) override {
        std::size_t first = message.find('\0');
        if (first == message.npos) return SaslStep::failure("invalid input");
        std::string_view rest = message.substr(first + 1);
        std::size_t second = rest.find('\0');
        if (second == rest.npos) return SaslStep::failure("invalid input");
        std::string_view password = rest.substr(second + 1);
        // A third NUL would cut the password short somewhere behind us (security rule M2).
        if (password.find('\0') != password.npos) return SaslStep::failure("invalid input");
        if (password.size() > kPasswordLimit) return SaslStep::failure("password is longer than 1024 bytes");
        return SaslStep::check_password(rest.substr(0, second), message.substr(0, first), password);
    }
};
}  // namespace

std::unique_ptr<Mechanism> make_plain(const AuthRequest&, const AuthSettings&) { return std::make_unique<Plain>(); }

}  // namespace culver::mechanisms
