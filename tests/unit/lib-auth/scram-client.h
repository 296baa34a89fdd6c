// The client's side of SCRAM, straight from RFC 5802 §3.
#pragma once

#include <gtest/gtest.h>

#include "lib-auth/mechanism.h"
#include "lib-auth/schemes/derived.h"
#include "lib-base/text.h"

namespace culver {

struct ScramClient {
    schemes::Digest kind = schemes::Digest::Sha256;
    std::string password = "secret", user = "alice";
    std::string header = "n,,";  // gs2-header
    std::string binding;         // what the client believes the channel is

    std::string first() const { return header + bare(); }
    std::string bare() const { return "n=" + user + ",r=clientnonce"; }

    // The last step of the whole dialogue; `entry` is the stored password.
    SaslStep log_in(Mechanism& mechanism, const std::string& entry) const {
        SaslStep step = mechanism.step(first());
        if (step.kind != SaslStep::Kind::NeedCredentials) return step;
        step = mechanism.with_credentials(entry);
        if (step.kind != SaslStep::Kind::Challenge) return step;
        return finish(mechanism, step.data);
    }

    SaslStep finish(Mechanism& mechanism, const std::string& server_first) const {
        auto fields = split(server_first, ',');
        std::string salt = *base64_decode(fields[1].substr(2));
        std::uint32_t iterations = *parse_uint32(fields[2].substr(2));
        auto keys = schemes::make_scram_keys(kind, password, salt, iterations);
        std::string without = "c=" + base64_encode(header + binding) + "," + std::string(fields[0]);
        std::string message = bare() + "," + server_first + "," + without;
        std::string proof = schemes::hmac(kind, salted_password(salt, iterations), "Client Key");
        std::string signature = schemes::hmac(kind, keys.stored_key, message);
        for (std::size_t k = 0; k < proof.size(); ++k) proof[k] = static_cast<char>(proof[k] ^ signature[k]);
        SaslStep last = mechanism.step(without + ",p=" + base64_encode(proof));
        if (last.kind == SaslStep::Kind::Success) {
            EXPECT_EQ(last.data, "v=" + base64_encode(schemes::hmac(kind, keys.server_key, message)));
        }
        return last;
    }

    // Hi() of RFC 5802 §2.2: servers do not keep what a client derives it from.
    std::string salted_password(const std::string& salt, std::uint32_t iterations) const {
        std::string u = schemes::hmac(kind, password, salt + std::string("\0\0\0\1", 4)), result = u;
        for (std::uint32_t i = 1; i < iterations; ++i) {
            u = schemes::hmac(kind, password, u);
            for (std::size_t k = 0; k < u.size(); ++k) result[k] = static_cast<char>(result[k] ^ u[k]);
        }
        return result;
    }
};

}  // namespace culver
