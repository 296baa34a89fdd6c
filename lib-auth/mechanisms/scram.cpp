// SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677), and their -PLUS forms, which prove too that both ends see the
// same TLS connection (docs/channel-binding.md). Messages are named as in RFC 5802 §3.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "lib-auth/mechanisms/makers.h"
#include "lib-auth/mechanisms/stored-keys.h"
#include "lib-auth/schemes/derived.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver::mechanisms {

namespace {
using schemes::Digest;
constexpr std::uint32_t kIterations = 4096;
constexpr std::size_t kNonceLimit = 1024;

// "=2C" and "=3D" stand for comma and equals sign (§5.1, saslname).
std::optional<std::string> decode_saslname(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '=') {
            out += text[i];
        } else if (text.substr(i, 3) == "=2C") {
            out += ',';
            i += 2;
        } else if (text.substr(i, 3) == "=3D") {
            out += '=';
            i += 2;
        } else {
            return std::nullopt;
        }
    }
    if (out.find('\0') != out.npos) return std::nullopt;
    return out;
}

std::optional<std::string_view> attribute(std::string_view field, char name) {
    if (field.size() < 2 || field[0] != name || field[1] != '=') return std::nullopt;
    return field.substr(2);
}

bool is_nonce(std::string_view text) {
    return !text.empty() && text.size() <= kNonceLimit &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != ','; });
}

enum class Form { Plain, Plus };

class Scram final : public Mechanism {
public:
    Scram(Digest kind, Form form, std::string_view scheme, const AuthRequest& request, const AuthSettings& settings)
        : kind_(kind),
          form_(form),
          scheme_(scheme),
          exporter_(request.tls_exporter),
          end_point_(request.tls_server_end_point) {
        const std::string plus = std::string(scheme) + "-PLUS";
        plus_was_offered_ = has_binding() && std::ranges::find(settings.mechanisms, plus) != settings.mechanisms.end();
    }

    SaslStep step(std::string_view message) override {
        return server_first_.empty() ? client_first(message) : client_final(message);
    }

    SaslStep with_credentials(std::string_view stored) override {
        StoredText text = read_stored(stored, scheme_);
        if (!text.problem.empty()) return SaslStep::failure(text.problem);
        if (text.is_plain) {
            keys_ = schemes::make_scram_keys(kind_, text.stored.raw.reveal(), random_bytes(16), kIterations);
        } else {
            auto keys = schemes::parse_scram_keys(kind_, text.stored.raw.reveal());
            if (!keys) return SaslStep::failure(keys.error().detail);
            keys_ = std::move(*keys);
        }
        nonce_ += base64_encode(random_bytes(48));
        server_first_ = fmt::format("r={},s={},i={}", nonce_, base64_encode(keys_.salt), keys_.iterations);
        return SaslStep::challenge(server_first_);
    }

private:
    bool has_binding() const { return !exporter_.empty() || !end_point_.empty(); }

    // gs2-cbind-flag (§6): sets binding_; what is wrong with the flag, if anything.
    std::string choose_binding(std::string_view flag) {
        if (flag == "n" || flag == "y") {
            if (form_ == Form::Plus) return "the client binds to no channel, but chose a mechanism with -PLUS";
            // It supports binding, and did not see that we do: somebody took -PLUS out of the list on the way.
            if (flag == "y" && plus_was_offered_)
                return fmt::format("downgrade: {}-PLUS was offered and not seen", scheme_);
            return {};
        }
        auto type = attribute(flag, 'p');
        if (!type) return "invalid gs2 header";
        if (form_ != Form::Plus) return "the client binds to a channel, but chose a mechanism without -PLUS";
        if (*type == "tls-exporter") binding_ = exporter_;
        if (*type == "tls-server-end-point") binding_ = end_point_;
        if (binding_.empty()) return fmt::format("channel binding type {} cannot be had here", type->substr(0, 40));
        return {};
    }

    // gs2-header client-first-message-bare: "n,[a=authzid],n=user,r=nonce[,extensions]"
    SaslStep client_first(std::string_view message) {
        auto fields = split(message, ',');
        if (fields.size() < 4) return SaslStep::failure("invalid initial client message");
        if (std::string problem = choose_binding(fields[0]); !problem.empty()) return SaslStep::failure(problem);
        gs2_header_ = message.substr(0, fields[0].size() + fields[1].size() + 2);
        if (!fields[1].empty()) {
            auto name = attribute(fields[1], 'a');
            auto decoded = name ? decode_saslname(*name) : std::nullopt;
            if (!decoded || decoded->empty()) return SaslStep::failure("invalid authorization identity");
            authorization_ = std::move(*decoded);
        }
        client_first_bare_ = message.substr(gs2_header_.size());
        if (fields[2].starts_with("m=")) return SaslStep::failure("a mandatory extension is not supported");
        auto name = attribute(fields[2], 'n');
        auto decoded = name ? decode_saslname(*name) : std::nullopt;
        if (!decoded) return SaslStep::failure("invalid user name");
        user_ = std::move(*decoded);
        auto nonce = attribute(fields[3], 'r');
        if (!nonce || !is_nonce(*nonce)) return SaslStep::failure("invalid nonce");
        nonce_ = *nonce;
        return SaslStep::need_credentials(user_, authorization_);
    }

    // "c=biws,r=nonce[,extensions],p=proof"
    SaslStep client_final(std::string_view message) {
        std::size_t last = message.rfind(",p=");
        if (last == message.npos) return SaslStep::failure("invalid final client message");
        std::string_view without_proof = message.substr(0, last);
        auto proof = base64_decode(message.substr(last + 3));
        auto fields = split(without_proof, ',');
        auto binding = fields.size() >= 2 ? attribute(fields[0], 'c') : std::nullopt;
        auto bound = binding ? base64_decode(*binding) : std::nullopt;
        if (!bound || !equals_constant_time(*bound, gs2_header_ + binding_))
            return SaslStep::failure("invalid channel binding data");
        auto nonce = attribute(fields[1], 'r');
        if (!nonce || !equals_constant_time(*nonce, nonce_)) return SaslStep::failure("wrong nonce");
        if (!proof || proof->size() != keys_.stored_key.size()) return SaslStep::failure("invalid client proof");
        std::string auth_message = client_first_bare_ + ',' + server_first_ + ',' + std::string(without_proof);
        std::string signature = schemes::hmac(kind_, keys_.stored_key, auth_message);
        std::string client_key = *proof;
        for (std::size_t i = 0; i < client_key.size(); ++i)
            client_key[i] = static_cast<char>(client_key[i] ^ signature[i]);
        bool equal = equals_constant_time(schemes::digest(kind_, client_key), keys_.stored_key);
        ::explicit_bzero(client_key.data(), client_key.size());
        if (!equal) return SaslStep::failure("Password mismatch");
        SaslStep done = SaslStep::success_with_data(
            user_, "v=" + base64_encode(schemes::hmac(kind_, keys_.server_key, auth_message)));
        done.authorization = authorization_;
        return done;
    }

    const Digest kind_;
    const Form form_;
    const std::string_view scheme_;
    const std::string exporter_, end_point_;  // what the login process says of its TLS
    bool plus_was_offered_ = false;
    std::string binding_;
    std::string gs2_header_, client_first_bare_, server_first_, nonce_, user_, authorization_;
    schemes::ScramKeys keys_;
};
}  // namespace

std::unique_ptr<Mechanism> make_scram_sha1(const AuthRequest& request, const AuthSettings& settings) {
    return std::make_unique<Scram>(Digest::Sha1, Form::Plain, "SCRAM-SHA-1", request, settings);
}
std::unique_ptr<Mechanism> make_scram_sha256(const AuthRequest& request, const AuthSettings& settings) {
    return std::make_unique<Scram>(Digest::Sha256, Form::Plain, "SCRAM-SHA-256", request, settings);
}
std::unique_ptr<Mechanism> make_scram_sha1_plus(const AuthRequest& request, const AuthSettings& settings) {
    return std::make_unique<Scram>(Digest::Sha1, Form::Plus, "SCRAM-SHA-1", request, settings);
}
std::unique_ptr<Mechanism> make_scram_sha256_plus(const AuthRequest& request, const AuthSettings& settings) {
    return std::make_unique<Scram>(Digest::Sha256, Form::Plus, "SCRAM-SHA-256", request, settings);
}

}  // namespace culver::mechanisms
