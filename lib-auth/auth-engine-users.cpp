// AuthEngine: who is who - the walk through the userdbs.
#include <fmt/format.h>

#include <algorithm>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/auth-engine.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

namespace {
// "name:protected" only where nothing stands yet, "name:remove" takes away.
void set_field(AuthFields& fields, std::string_view key, std::string_view value, bool has_value) {
    if (key.ends_with(":remove")) return fields.remove(key.substr(0, key.size() - 7));
    if (key.ends_with(":protected")) {
        key.remove_suffix(10);
        if (fields.contains(key)) return;
    }
    if (!key.empty()) fields.set(key, value, has_value);
}

// A list of fields in one field, separated by TAB.
void import_fields(AuthFields& fields, std::string_view list) {
    for (std::string_view word : split(list, '\t')) {
        std::size_t equals = word.find('=');
        set_field(fields, word.substr(0, equals), equals == word.npos ? std::string_view() : word.substr(equals + 1),
                  equals != word.npos);
    }
}
}  // namespace

std::shared_ptr<AuthEngine::UserWalk> AuthEngine::start_user_lookup(AuthRequest& request) const {
    return std::make_shared<UserWalk>(UserWalk{request, Pace::step_by_step()});
}

Work AuthEngine::wanted_work(const UserWalk& walk) { return walk.pace.wanted; }
const std::string& AuthEngine::lane(const UserWalk& walk) { return walk.pace.lane; }

std::optional<UserResult> AuthEngine::advance(UserWalk& walk, Work limit) const {
    walk.pace.limit = limit;
    walk.pace.has_waited = false;
    return ask_userdbs(walk.request, walk.chain, walk.pace);
}

UserResult AuthEngine::lookup_user(AuthRequest& request) const {
    auto walk = start_user_lookup(request);
    walk->pace.one_wait = false;
    return *advance(*walk, Work::Blocking);
}

// Nothing: it would have to wait.
std::optional<UserResult::Kind> AuthEngine::check_existence(AuthRequest& request, UserChain& chain, Pace& pace) const {
    if (!chain.existence) {
        chain.known_before = request.userdb_fields;
        chain.existence.emplace();
        chain.existence->is_proof_pending = !request.mechanism.empty();
    }
    auto result = run_chain(request, *chain.existence, pace);
    if (!result) return std::nullopt;
    Credentials credentials = to_credentials(*chain.existence, *result);
    if (credentials.unsupported) {
        log_error(fmt::format("static({}): passdb doesn't support lookups, can't verify user's existence",
                              request.log_identity()));
        return UserResult::Kind::InternalFailure;
    }
    if (credentials.result == AuthResult::InternalFailure) return UserResult::Kind::InternalFailure;
    // Who is denied (deny = yes) is no user either: as in Dovecot, mail for him is refused.
    bool is_nobody = credentials.result == AuthResult::UnknownUser || credentials.result == AuthResult::Disabled;
    return is_nobody ? UserResult::Kind::NotFound : UserResult::Kind::Found;
}

// Nothing: the next one costs more than the walk may; it goes on where it stopped.
std::optional<UserResult> AuthEngine::ask_userdbs(AuthRequest& request, UserChain& chain, Pace& pace) const {
    for (; chain.next < userdbs_.size(); ++chain.next) {
        const UserDbEntry& entry = userdbs_[chain.next];
        if (entry.skip == UserDbEntry::Skip::Found && chain.succeeded) continue;
        if (entry.skip == UserDbEntry::Skip::NotFound && !chain.succeeded) continue;
        auto answer = ask_userdb(entry, request, chain, pace);
        if (!answer) return std::nullopt;
        chain.existence.reset();
        chain.exists.reset();
        chain.known_before.reset();
        UserResult::Kind kind = *answer;
        if (kind == UserResult::Kind::InternalFailure) chain.internal_failure = true;
        ResultRule rule = kind == UserResult::Kind::Found      ? entry.success
                          : kind == UserResult::Kind::NotFound ? entry.failure
                                                               : entry.internal;
        if (rule == ResultRule::ReturnOk || rule == ResultRule::ContinueOk) chain.succeeded = true;
        if (rule == ResultRule::ReturnFail || rule == ResultRule::ContinueFail) chain.succeeded = false;
        if (rule == ResultRule::Return || rule == ResultRule::ReturnOk || rule == ResultRule::ReturnFail) break;
    }
    if (chain.succeeded && request.userdb_fields.contains("tempfail")) {
        log_info(fmt::format("userdb({}): the field tempfail makes this a temporary failure", request.log_identity()));
        return UserResult{UserResult::Kind::InternalFailure, ""};
    }
    if (chain.succeeded) return UserResult{UserResult::Kind::Found, ""};
    return UserResult{chain.internal_failure ? UserResult::Kind::InternalFailure : UserResult::Kind::NotFound, ""};
}

namespace {
// A field of default_fields or override_fields.
void add_template(const auto& entry, const AuthRequest& request, AuthFields& fields, const std::string& field) {
    std::size_t equals = field.find('=');
    std::string_view key = std::string_view(field).substr(0, equals);
    if (equals == field.npos) return set_field(fields, key, "", false);
    auto value = expand_for_request(std::string_view(field).substr(equals + 1), request);
    if (value && key == "uid") value = resolve_uid(*value);
    if (value && key == "gid") value = resolve_gid(*value);
    if (value) return set_field(fields, key, *value, true);
    log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), value.error().detail));
}

// The passdbs' fields, which are there already, may stand in this one's templates. `known_before`, if they were asked
// for this userdb: what was known before; what they have said of the user themselves is stronger than a default.
void take_fields(const auto& entry, AuthRequest& request, const UserDbReply& reply,
                 const std::optional<AuthFields>& known_before) {
    AuthFields& fields = request.userdb_fields;
    const AuthFields known = known_before ? fields : AuthFields();
    for (const std::string& field : entry.default_fields) add_template(entry, request, fields, field);
    for (const AuthField& field : known) {
        const AuthField* before = known_before->find(field.key);
        if (!before || before->value != field.value) fields.set(field.key, field.value, field.has_value);
    }
    for (const AuthField& field : reply.fields) {
        if (field.key == "user" || field.key == "username" || field.key == "domain")
            rename_user(request.user, field.key, field.value);
        else if (field.key == "userdb_import") import_fields(fields, field.value);
        else set_field(fields, field.key, field.value, field.has_value);
    }
    for (const std::string& field : entry.override_fields) add_template(entry, request, fields, field);
}
}  // namespace

// One userdb: its fields into the request if it knows the user.
std::optional<UserResult::Kind> AuthEngine::ask_userdb(const UserDbEntry& entry, AuthRequest& request, UserChain& chain,
                                                       Pace& pace) const {
    using Kind = UserResult::Kind;
    if (entry.database->needs_existence_check() && !request.passdb_succeeded) {
        if (!chain.exists) chain.exists = check_existence(request, chain, pace);
        if (!chain.exists) return std::nullopt;
        if (*chain.exists != Kind::Found) {
            if (entry.verbose && *chain.exists == Kind::NotFound)
                log_info(fmt::format("{}({}): unknown user", entry.driver, request.log_identity()));
            return *chain.exists;
        }
    }
    const Work work = entry.database->work(request);
    std::optional<Result<UserDbReply>> answer;
    if (work > pace.limit && pace.is_on_loop()) answer = entry.database->lookup_at_once(request);
    if (!answer && !pace.admits(work, entry.lane)) return std::nullopt;
    if (!answer) answer = entry.database->lookup(request);
    Result<UserDbReply>& reply = *answer;
    if (!reply) {
        if (!reply.error().detail.empty())
            log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        return Kind::InternalFailure;
    }
    if (!reply->found) {
        if (entry.driver == "prefetch" && userdbs_.size() == 1) {
            log_error(
                fmt::format("prefetch({}): no passdb returned userdb_ fields, and there is no other userdb: add "
                            "one for lookups without a login (LMTP, doveadm)",
                            request.log_identity()));
            return Kind::InternalFailure;
        }
        if (entry.verbose) log_info(fmt::format("{}({}): unknown user", entry.driver, request.log_identity()));
        return Kind::NotFound;
    }
    take_fields(entry, request, *reply, chain.known_before);
    return Kind::Found;
}

std::size_t AuthEngine::userdb_count() const { return userdbs_.size(); }
const std::string& AuthEngine::userdb_lane(std::size_t number) const { return userdbs_[number].lane; }

Status AuthEngine::iterate(std::size_t number, const std::function<void(std::string_view user)>& visit) const {
    auto listed = userdbs_[number].database->iterate(visit);
    if (!listed && listed.error().code == ErrorCode::Unsupported)
        log_error(fmt::format("Trying to iterate users, but userdbs don't support it ({})", userdbs_[number].driver));
    return listed;
}

Status AuthEngine::iteration_result(const std::vector<Status>& of_each) {
    Status status;
    bool any = false;
    for (const Status& listed : of_each) {
        if (listed) any = true;
        else if (listed.error().code != ErrorCode::Unsupported) status = listed;
    }
    if (!any && status) return fail(ErrorCode::Unsupported, "no userdb supports listing users");
    return status;
}

}  // namespace culver
