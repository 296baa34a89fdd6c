// CRAM-MD5 (RFC 2195): the client proves the password by HMAC-MD5 over our challenge.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "lib-auth/mechanisms/makers.h"
#include "lib-auth/mechanisms/stored-keys.h"
#include "lib-auth/schemes/digest.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver::mechanisms {

namespace {
class CramMd5 final : public Mechanism {
public:
    SaslStep start() override {
        char host[256] = "localhost";
        ::gethostname(host, sizeof host - 1);
        auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
                       .count();
        challenge_ = fmt::format("<{}.{}@{}>", random_uint64(), now, host);
        return SaslStep::challenge(challenge_);
    }

    SaslStep step(std::string_view message) override {
        // The server speaks first; RFC 2195 knows no initial response, and one that comes is not looked at.
        if (challenge_.empty()) return start();
        std::size_t blank = message.rfind(' ');
        if (blank == message.npos || blank == 0) return SaslStep::failure("invalid input");
        user_ = message.substr(0, blank);
        if (user_.find('\0') != user_.npos) return SaslStep::failure("NUL in user name");
        digest_ = message.substr(blank + 1);  // lower-case letters (RFC 2195 §2)
        return SaslStep::need_credentials(user_);
    }

    SaslStep with_credentials(std::string_view stored) override {
        StoredText text = read_stored(stored, "CRAM-MD5 HMAC-MD5");
        if (!text.problem.empty()) return SaslStep::failure(text.problem);
        std::string states =
            text.is_plain ? schemes::cram_md5_states(text.stored.raw.reveal()) : std::string(text.stored.raw.reveal());
        bool equal = equals_constant_time(schemes::cram_md5_response(states, challenge_), digest_);
        ::explicit_bzero(states.data(), states.size());
        return equal ? SaslStep::success(user_) : SaslStep::failure("Password mismatch");
    }

private:
    std::string challenge_, user_, digest_;
};
}  // namespace

std::unique_ptr<Mechanism> make_cram_md5(const AuthRequest&, const AuthSettings&) {
    return std::make_unique<CramMd5>();
}

}  // namespace culver::mechanisms
