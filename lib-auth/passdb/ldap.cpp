// passdb ldap: the password and fields of the entry that pass_filter finds; or, with auth_bind, the server's own word.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

#include "lib-auth/ldap/ldap-escape.h"
#include "lib-auth/ldap/ldap-source.h"
#include "lib-auth/passdb/drivers.h"
#include "lib-base/log.h"

namespace culver::passdb {

namespace {
using Clock = std::chrono::steady_clock;
using BindAnswer = LdapConnection::BindAnswer;
constexpr std::chrono::seconds kLongestWait{1};

class LdapPassDb final : public PassDb {
public:
    explicit LdapPassDb(std::shared_ptr<LdapSource> source) : source_(std::move(source)) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }
    std::string default_scheme() const override { return config().default_pass_scheme; }
    bool verifies_itself() const override { return config().auth_bind; }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        auto answer = TRY(source_->find_one(config().pass_filter, config().pass_attrs, request));
        PassDbReply reply;
        if (!answer) return reply;
        reply.verdict = Verdict::Match;
        take_fields(config().pass_attrs.fields(*answer, request, complain(request)), reply);
        if (reply.has_password) remember_typical(reply.password);
        return reply;
    }

    Result<PassDbReply> verify(const AuthRequest& request, const SecretString& password) override {
        PassDbReply reply;
        std::string dn;
        if (config().auth_bind_userdn.empty()) {
            auto answer = TRY(source_->find_one(config().pass_filter, config().pass_attrs, request));
            if (!answer) {
                wait_as_for_a_bind(Clock::now());
                return reply;
            }
            dn = answer->entry.dn;
            take_fields(config().pass_attrs.fields(*answer, request, complain(request)), reply);
            if (reply.verdict == Verdict::UnknownUser && !reply.reason.empty()) return reply;
        } else {
            dn = TRY(expand_ldap_dn(config().auth_bind_userdn, request));
        }
        if (password.empty()) {
            reply.verdict = Verdict::Mismatch;
            reply.reason = "Login attempt with empty password";
            return reply;
        }
        auto start = Clock::now();
        auto bind = TRY(source_->bind_as(dn, password));
        if (bind.answer == BindAnswer::Accepted) remember_bind(Clock::now() - start);
        else wait_as_for_a_bind(start);
        reply.verdict = bind.answer == BindAnswer::Accepted     ? Verdict::Match
                        : bind.answer == BindAnswer::NoSuchUser ? Verdict::UnknownUser
                                                                : Verdict::Mismatch;
        if (bind.answer == BindAnswer::Refused) reply.reason = "Password mismatch (for LDAP bind)";
        if (!reply.reason.empty() && !bind.said.empty()) reply.reason += ": " + bind.said;
        return reply;
    }

    // All that the verdict depends on, as the server is asked for it.
    std::optional<std::string> cache_key(const AuthRequest& request) override {
        auto base = expand_ldap_dn(config().base, request);
        auto filter = expand_ldap_filter(config().pass_filter, request);
        auto dn = expand_ldap_dn(config().auth_bind_userdn, request);
        if (!base || !filter || !dn) return std::nullopt;
        return fmt::format("{}\t{}\t{}", *base, *filter, *dn);
    }

    // The directory cannot be looked through; the last password found has the kind that most have.
    std::string typical_password(const AuthRequest&) override {
        std::lock_guard lock(mutex_);
        return std::string(typical_.reveal());
    }

private:
    const LdapConfig& config() const { return source_->config(); }

    static LdapAttributes::Complain complain(const AuthRequest& request) {
        return [&](std::string text) { log_warning(fmt::format("ldap({}): {}", request.log_identity(), text)); };
    }

    void take_fields(const AuthFields& fields, PassDbReply& reply) const {
        for (const AuthField& field : fields) {
            if (field.key == "user" && field.value.empty()) {
                reply = PassDbReply{};
                reply.reason = "username attempted to be changed to empty";
                return;
            }
            bool has_scheme = field.key == "password";
            if (has_scheme || field.key == "password_noscheme") {
                reply.has_password = true;
                std::string text = has_scheme ? field.value : '{' + config().default_pass_scheme + '}' + field.value;
                reply.password = SecretString(text);
                ::explicit_bzero(text.data(), text.size());
            } else {
                reply.fields.set(field.key, field.value, field.has_value);
            }
        }
    }

    void remember_typical(const SecretString& password) {
        std::lock_guard lock(mutex_);
        if (typical_.empty()) typical_ = password;
    }

    // What comparing costs the server, by logins that succeed: nobody else can change it. A slow moment counts little.
    void remember_bind(Clock::duration took) {
        auto now = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
        auto before = typical_bind_.load();
        typical_bind_ = before == 0 ? now : before + (now - before) / 8;
    }
    // A refusal takes as long whether there is such a user or not (security rule M7). A second bind, as somebody, could
    // lock him out.
    void wait_as_for_a_bind(Clock::time_point start) const {
        std::this_thread::sleep_until(
            start + std::min<Clock::duration>(std::chrono::microseconds(typical_bind_.load()), kLongestWait));
    }

    std::shared_ptr<LdapSource> source_;
    std::atomic<long> typical_bind_ = 0;  // microseconds
    std::mutex mutex_;                    // guards typical_
    SecretString typical_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_ldap(const PassDbSettings& settings, const DriverContext& context) {
    return std::make_unique<LdapPassDb>(TRY(LdapSource::open(settings.args, context)));
}

}  // namespace culver::passdb
