// passdb oauth2: the password is an OAuth 2.0 token (OAUTHBEARER, XOAUTH2, or PLAIN with the token as password), or is
// changed for one (password grant). args = /etc/dovecot/dovecot-oauth2.conf.ext (docs/oauth2.md).
#include <cstring>

#include "lib-auth/oauth2/oauth2-lookup.h"
#include "lib-auth/passdb/drivers.h"
#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver::passdb {

namespace {
class OAuth2PassDb final : public PassDb {
public:
    explicit OAuth2PassDb(std::unique_ptr<OAuth2Lookup> lookup) : lookup_(std::move(lookup)) {}

    Work work(const AuthRequest&) override { return lookup_->is_local() ? Work::Cpu : Work::Blocking; }
    bool verifies_itself() const override { return true; }
    std::string openid_configuration_url() const override { return lookup_->config().openid_configuration_url; }

    Result<PassDbReply> lookup(const AuthRequest&) override {
        return fail(ErrorCode::Unsupported, "passdb doesn't support credential lookups");
    }
    std::optional<Result<PassDbReply>> lookup_at_once(const AuthRequest& request) override { return lookup(request); }

    Result<PassDbReply> verify(const AuthRequest& request, const SecretString& password) override {
        TokenAnswer answer = TRY(lookup_->check(request, password.reveal()));
        PassDbReply reply;
        reply.verdict = answer.verdict;
        reply.reason = std::move(answer.reason);
        if (answer.verdict != Verdict::Match) return reply;
        for (const std::string& pair : lookup_->config().pass_attrs) {
            std::size_t equals = pair.find('=');
            std::string value;
            if (equals != pair.npos) value = TRY(expand(std::string_view(pair).substr(equals + 1), request, answer));
            reply.fields.set(std::string_view(pair).substr(0, equals), value, !value.empty());
        }
        reply.fields.set("token", answer.token);
        return reply;
    }

private:
    // %{oauth2:name} is what the server said; other variables are the request's.
    static Result<std::string> expand(std::string_view text, const AuthRequest& request, const TokenAnswer& answer) {
        return expand_variables(text, [&](std::string_view name) -> std::optional<std::string> {
            if (!name.starts_with("oauth2:")) return request.variable(name);
            const JsonMember* member = answer.fields.find(name.substr(7));
            return member ? member->text : std::string();
        });
    }

    std::unique_ptr<OAuth2Lookup> lookup_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_oauth2(const PassDbSettings& settings, const DriverContext& context) {
    std::string path(trim(settings.args));
    if (path.empty())
        return fail(ErrorCode::InvalidArgument,
                    "Configuration file path not given: write \"args = /etc/dovecot/dovecot-oauth2.conf.ext\"");
    std::string text = TRY(context.files->read_config(path));
    auto config =
        parse_oauth2_config(text, path, [&](const std::string& name) { return context.files->read_config(name); });
    ::explicit_bzero(text.data(), text.size());
    if (!config) return fail(config.error());
    std::string certificate, key;
    if (!config->tls_cert_file.empty()) {
        certificate = TRY(context.files->read_config(config->tls_cert_file));
        key = TRY(context.files->read_config(config->tls_key_file));
    }
    return std::make_unique<OAuth2PassDb>(
        std::make_unique<OAuth2Lookup>(std::move(*config), std::move(certificate), std::move(key)));
}

}  // namespace culver::passdb
