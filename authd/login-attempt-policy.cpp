// LoginAttempt: what the policy server (lib-auth/auth-policy.h) has to say about it.
#include <fmt/format.h>

#include "authd/login-attempt.h"
#include "lib-auth/auth-policy.h"
#include "lib-base/log.h"

namespace culver {

namespace {
std::string action_of(const PolicyDecision& decision) {
    switch (decision.action) {
        case PolicyDecision::Action::Continue: return "continue";
        case PolicyDecision::Action::Reject: return "drop connection";
        case PolicyDecision::Action::Tarpit: return fmt::format("tarpit {} second(s)", decision.tarpit.count());
    }
    return {};
}
}  // namespace

void LoginAttempt::ask_policy(PolicyMoment moment, std::function<void()> next) {
    const AuthPolicy* policy = engine_->policy();
    bool wanted = policy && (moment == PolicyMoment::BeforeAuth ? policy->settings().check_before_auth
                                                                : policy->settings().check_after_auth);
    if (!wanted) return next();
    auto decision = std::make_shared<PolicyDecision>();
    bool runs = server_.run(
        Work::Blocking, origin("policy"),
        [self = shared_from_this(), decision] { *decision = self->engine_->policy()->ask(self->auth_); },
        [self = shared_from_this(), decision, moment, next = std::move(next)] {
            if (!self->is_abandoned()) self->obey_policy(moment, *decision, next);
        },
        overload_refusal());
    if (!runs) overload_refusal()();
}

void LoginAttempt::obey_policy(PolicyMoment moment, const PolicyDecision& decision, const std::function<void()>& next) {
    using Action = PolicyDecision::Action;
    const AuthPolicySettings& settings = engine_->policy()->settings();
    bool rejects = decision.action == Action::Reject;
    if (rejects && decision.by_server) {
        policy_rejected_ = true;
        log_info(fmt::format("policy({}): Authentication failure due to policy server refusal{}{}",
                             auth_.log_identity(), decision.message.empty() ? "" : ": ", decision.message));
    }
    if (decision.action == Action::Continue) return next();
    if (settings.log_only) {
        log_info(
            fmt::format("policy({}): Policy check action '{}' ignored", auth_.log_identity(), action_of(decision)));
        return next();
    }
    if (rejects) {
        auth_.trail.add("policy", decision.by_server ? "refused" : "did not answer (auth_policy_reject_on_fail)");
        auth_.fields.clear();
        return refuse(AuthResult::Mismatch, decision.message);
    }
    // Who is right already has waited; who is trusted waits for nobody.
    if (moment == PolicyMoment::AfterAuth || auth_.no_penalty) return next();
    log_info(fmt::format("policy({}): Policy check action is {}", auth_.log_identity(), action_of(decision)));
    state_ = State::Held;
    timer_ = server_.loop().after(decision.tarpit, [self = shared_from_this(), next] {
        self->timer_.reset();
        self->state_ = State::Working;
        next();
    });
}

// Nobody waits for it. It has a queue of its own: when that is full, reports are lost, not logins.
void LoginAttempt::report_to_policy(bool success) {
    const AuthPolicy* policy = engine_->policy();
    if (!policy || !policy->settings().report_after_auth) return;
    AuthPolicy::Outcome outcome{success, policy_rejected_};
    auto json = policy->describe(auth_, &outcome);
    if (!json) return log_error(fmt::format("policy({}): {}", auth_.log_identity(), json.error().detail));
    JobOrigin nobody;
    nobody.lane = "policy-report";
    (void)server_.run(
        Work::Blocking, std::move(nobody),
        [engine = engine_, json = std::make_shared<std::string>(std::move(*json))] { engine->policy()->report(*json); },
        [] {}, {});
}

}  // namespace culver
