// DIGEST-MD5 (RFC 2831, historic by RFC 6331): kept for what still speaks nothing else.
#include <fmt/format.h>

#include <cstring>
#include <map>

#include "lib-auth/mechanisms/makers.h"
#include "lib-auth/mechanisms/stored-keys.h"
#include "lib-auth/schemes/digest.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver::mechanisms {

namespace {
using schemes::Digest;
constexpr std::size_t kFieldLimit = 20;

std::string md5_hex(std::string_view text) { return hex_encode(schemes::digest(Digest::Md5, text)); }

// `key=value` or `key="quoted value"`, separated by commas; nothing on anything else and on a key given twice.
std::optional<std::map<std::string, std::string>> parse_fields(std::string_view text) {
    std::map<std::string, std::string> fields;
    while (!text.empty()) {
        if (text[0] == ',') {  // elements of a list may be empty (RFC 2831 §7.1)
            text = trim(text.substr(1));
            continue;
        }
        std::size_t equals = text.find('=');
        if (equals == text.npos || fields.size() == kFieldLimit) return std::nullopt;
        std::string key = to_lower(trim(text.substr(0, equals))), value;
        text.remove_prefix(equals + 1);
        if (text.starts_with('"')) {
            std::size_t i = 1;
            for (; i < text.size() && text[i] != '"'; ++i) {
                if (text[i] == '\\' && i + 1 < text.size()) ++i;
                value += text[i];
            }
            if (i == text.size()) return std::nullopt;
            text.remove_prefix(i + 1);
        } else {
            std::size_t end = std::min(text.find(','), text.size());
            value = trim(text.substr(0, end));
            text.remove_prefix(end);
        }
        if (!fields.emplace(std::move(key), std::move(value)).second) return std::nullopt;
        text = trim(text);
        if (text.empty()) break;
        if (text[0] != ',') return std::nullopt;
        text.remove_prefix(1);
    }
    return fields;
}

bool is_absent_or(const std::map<std::string, std::string>& fields, const std::string& key, std::string_view value) {
    auto it = fields.find(key);
    return it == fields.end() || equals_ignore_case(it->second, value);
}

class DigestMd5 final : public Mechanism {
public:
    explicit DigestMd5(const AuthSettings& settings) : realms_(settings.realms) {}

    SaslStep start() override {
        nonce_ = base64_encode(random_bytes(16));
        std::string challenge;
        if (realms_.empty()) challenge = "realm=\"\",";
        for (const std::string& realm : realms_) challenge += fmt::format("realm=\"{}\",", realm);
        return SaslStep::challenge(
            challenge + fmt::format("nonce=\"{}\",qop=\"auth\",charset=\"utf-8\",algorithm=\"md5-sess\"", nonce_));
    }

    SaslStep step(std::string_view message) override {
        if (nonce_.empty()) return start();  // the server speaks first
        auto fields = parse_fields(message);
        if (!fields) return SaslStep::failure("invalid input");
        fields_ = std::move(*fields);
        for (const char* needed : {"username", "nonce", "cnonce", "response", "digest-uri"})
            if (fields_[needed].empty()) return SaslStep::failure(fmt::format("missing {}", needed));
        if (fields_["nonce"] != nonce_) return SaslStep::failure("wrong nonce");
        if (fields_["nc"] != "00000001") return SaslStep::failure("wrong nonce count");
        if (!is_absent_or(fields_, "qop", "auth")) return SaslStep::failure("unsupported qop");
        if (!is_absent_or(fields_, "charset", "utf-8")) return SaslStep::failure("unsupported charset");
        if (fields_.contains("maxbuf") && parse_uint32(fields_["maxbuf"]).value_or(0) == 0)
            return SaslStep::failure("invalid maxbuf");
        if (fields_["username"].find('\0') != std::string::npos) return SaslStep::failure("NUL in user name");
        user_ = fields_["username"];
        if (!fields_["realm"].empty() && user_.find('@') == user_.npos) user_ += '@' + fields_["realm"];
        return SaslStep::need_credentials(user_, fields_["authzid"]);
    }

    SaslStep with_credentials(std::string_view stored) override {
        StoredText text = read_stored(stored, "DIGEST-MD5");
        if (!text.problem.empty()) return SaslStep::failure(text.problem);
        std::string secret(text.stored.raw.reveal());
        if (text.is_plain)
            secret = schemes::digest(Digest::Md5, fields_["username"] + ':' + fields_["realm"] + ':' + secret);
        std::string a1 = secret + ':' + nonce_ + ':' + fields_["cnonce"];
        if (!fields_["authzid"].empty()) a1 += ':' + fields_["authzid"];
        std::string ha1 = md5_hex(a1);
        const std::string qop = fields_.contains("qop") ? fields_["qop"] : "auth";  // in the client's own letters
        auto response = [&](std::string_view method) {
            return md5_hex(fmt::format("{}:{}:00000001:{}:{}:{}", ha1, nonce_, fields_["cnonce"], qop,
                                       md5_hex(std::string(method) + ':' + fields_["digest-uri"])));
        };
        bool equal = equals_constant_time(response("AUTHENTICATE"), fields_["response"]);
        std::string proof = "rspauth=" + response("");
        ::explicit_bzero(secret.data(), secret.size());
        if (!equal) return SaslStep::failure("Password mismatch");
        SaslStep done = SaslStep::success_with_data(user_, std::move(proof));
        done.authorization = fields_["authzid"];
        return done;
    }

private:
    const std::vector<std::string> realms_;
    std::string nonce_, user_;
    std::map<std::string, std::string> fields_;
};
}  // namespace

std::unique_ptr<Mechanism> make_digest_md5(const AuthRequest&, const AuthSettings& settings) {
    return std::make_unique<DigestMd5>(settings);
}

}  // namespace culver::mechanisms
