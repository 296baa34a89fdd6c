// passdb pam: system users by /etc/pam.d/<service>. PAM modules block and leak, so they run in processes of their own
// (authd/pam-workers.h); this file reads the args and the answers.
//
// args = [session=yes] [setcred=yes] [failure_show_msg=yes] [max_requests=N] [cache_key=...] [service name | *]
#include <fmt/format.h>

#include "lib-auth/driver-args.h"
#include "lib-auth/passdb/drivers.h"
#include "lib-base/text.h"

namespace culver::passdb {

namespace {
class PamPassDb final : public PassDb {
public:
    PamPassDb(PamBackend* backend, PamCall defaults, bool show_message, std::string cache_key)
        : backend_(backend),
          defaults_(std::move(defaults)),
          show_message_(show_message),
          cache_key_(std::move(cache_key)) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }
    bool verifies_itself() const override { return true; }

    std::optional<std::string> cache_key(const AuthRequest& request) override {
        if (cache_key_.empty()) return std::nullopt;
        auto key = expand_for_request(cache_key_, request);
        if (!key) return std::nullopt;
        return defaults_.service + '\0' + request.service + '\0' + *key;
    }

    Result<PassDbReply> lookup(const AuthRequest&) override {
        return fail(ErrorCode::Unsupported, "passdb doesn't support credential lookups");
    }
    std::optional<Result<PassDbReply>> lookup_at_once(const AuthRequest& request) override { return lookup(request); }

    Result<PassDbReply> verify(const AuthRequest& request, const SecretString& password) override {
        PassDbReply reply;
        reply.verdict = Verdict::Mismatch;
        if (password.reveal().find('\0') != std::string_view::npos) return reply;
        PamCall call = TRY(make_call(request, PamCall::Kind::Pam));
        call.password = password.reveal();
        auto answer = backend_->authenticate(call);
        ::explicit_bzero(call.password.data(), call.password.size());
        if (!answer) return fail(answer.error());
        reply = TRY(to_reply(*answer));
        if (reply.verdict == Verdict::Match && answer->user != request.user) rename(reply, answer->user);
        return reply;
    }

    bool has_account_rules() const override { return true; }

    Result<PassDbReply> check_account(const AuthRequest& request) override {
        PamCall call = TRY(make_call(request, PamCall::Kind::PamAccount));
        PamAnswer answer = TRY(backend_->authenticate(call));
        return to_reply(answer);
    }

private:
    Result<PamCall> make_call(const AuthRequest& request, PamCall::Kind kind) const {
        if (!backend_) return fail(ErrorCode::Unavailable, "PAM is not available in this process");
        PamCall call = defaults_;
        call.kind = kind;
        call.service = defaults_.service == "*" ? request.service : TRY(expand_for_request(defaults_.service, request));
        // Clients may say what %s is; it is the name of a file below /etc/pam.d and nothing else.
        if (call.service.empty() || call.service.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
            return fail(ErrorCode::InvalidArgument, fmt::format("'{}' is no PAM service", call.service));
        call.user = request.user;
        call.remote_ip = request.remote_ip;
        call.mechanism_service = request.service;
        return call;
    }

    Result<PassDbReply> to_reply(const PamAnswer& answer) const {
        if (answer.temporary_failure) return fail(ErrorCode::Unavailable, answer.error);
        PassDbReply reply;
        reply.verdict = answer.verdict;
        reply.reason = answer.error;
        if (show_message_ && reply.verdict != Verdict::Match) reply.message = answer.message;
        return reply;
    }

    // A module has changed PAM_USER.
    static void rename(PassDbReply& reply, const std::string& user) {
        if (!user.empty() && user.find_first_of("\r\n\t") == user.npos) return reply.fields.set("user", user);
        reply.verdict = Verdict::Mismatch;
        reply.reason = user.empty() ? "username attempted to be changed to empty"
                                    : "username attempted to be changed to one with control characters";
    }

    PamBackend* backend_;
    PamCall defaults_;
    bool show_message_;
    std::string cache_key_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_pam(const PassDbSettings& settings, const DriverContext& context) {
    PamCall defaults;
    defaults.service = "dovecot";
    bool show_message = false;
    std::string cache_key;
    for (const DriverArg& arg : parse_driver_args(settings.args)) {
        if (arg.key == "session" || arg.key == "-session") {
            defaults.session = arg.value != "no";
        } else if (arg.key == "setcred") {
            defaults.setcred = arg.value != "no";
        } else if (arg.key == "failure_show_msg") {
            show_message = arg.value != "no";
        } else if (arg.key == "max_requests") {
            auto number = parse_uint32(arg.value);
            if (!number)
                return fail(ErrorCode::InvalidArgument, fmt::format("pam: Invalid requests_max value: {}", arg.value));
            defaults.max_requests = *number;
        } else if (arg.key == "cache_key") {
            cache_key = arg.value;
        } else if (arg.key == "*" && !arg.has_value) {
            defaults.service = "*";
        } else if (!arg.has_value) {
            defaults.service = arg.key;
        } else {
            return fail(ErrorCode::InvalidArgument, fmt::format("pam: Unknown setting: {}", arg.key));
        }
    }
    return std::make_unique<PamPassDb>(context.pam, std::move(defaults), show_message, std::move(cache_key));
}

}  // namespace culver::passdb
